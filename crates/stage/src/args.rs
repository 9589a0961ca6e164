//! The arguments every scenario binary takes. Defaults for the load come from the scenario's `Cargo.toml`.

use std::{net::SocketAddr, time::Duration};

use clap::{CommandFactory, FromArgMatches, Parser, error::ErrorKind};

use crate::{Side, statement};

/// The address `tokio-console` connects to when it is given none.
const CONSOLE_DEFAULT: &str = "127.0.0.1:6669";

/// No recorded run holds more than 73 MiB. Under the console a task costs 33 KiB, so there is room for some 30,000 of them.
const MEMORY_MIB: u64 = 1_024;
/// A tebibyte.
const MEMORY_MAX_MIB: u64 = 1 << 20;

#[derive(Parser)]
#[command(
    after_help = "Exit code: 0 the run did what this side states, 1 it did not, 2 wrong arguments or port taken, \
    3 it did not and this machine was too busy to tell, 130 interrupted, 143 ended by SIGTERM."
)]
pub(crate) struct Args {
    /// Units of work to offer [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    units: Option<u64>,
    /// Units per second, or `max` for as fast as it goes [default: the scenario's]
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<Rate>,
    /// End the load after this long, whatever is left to offer
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: Option<Duration>,
    /// After N units let the counts come to rest, keep them in the report, and go on with the other units
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) pause_at: Option<u64>,
    /// End the load when this program holds so much memory
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=MEMORY_MAX_MIB), default_value_t = MEMORY_MIB)]
    pub(crate) memory: u64,
    /// Wait at most this long for the counts to stand still
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "6")]
    pub(crate) settle: Duration,
    /// Where tokio-console connects; port 0 picks a free one and prints it
    #[arg(long, value_name = "ADDR", default_value = CONSOLE_DEFAULT)]
    console: SocketAddr,
    /// Run bare, without the console's instrumentation server
    #[arg(long, conflicts_with = "console")]
    no_console: bool,
    /// Offer no load before a console is attached (for at most 10 seconds)
    #[arg(long, conflicts_with = "no_console")]
    pub(crate) await_console: bool,
    /// Print one JSON object per sample, then the report, instead of lines for people
    #[arg(long)]
    pub(crate) json: bool,
    /// Stay up after the report until Ctrl-C, SIGTERM or the end of standard input. A pipe or terminal that is closed before the
    /// report ends the load as well: whoever started this program is gone
    #[arg(long)]
    pub(crate) hold: bool,
}

#[derive(Clone, Copy)]
enum Rate {
    PerSecond(f64),
    Max,
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(rate) => statement::rate(rate).map(Self::PerSecond).map_err(|range| format!("{range}, or `max`")),
            Err(_) => Err("a number, or `max`".into()),
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let limit = Duration::from_secs(24 * 3600);
    match text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()) {
        Some(time) if time <= limit => Ok(time),
        _ => Err("a number of seconds, at most a day".into()),
    }
}

/// Reads the command line; prints help or a one-line complaint and ends the process where there is nothing to run.
pub(crate) fn parse(side: &Side) -> Args {
    let mut command = Args::command().name(side.bin).about(side.about.clone());
    let read = Args::from_arg_matches(&command.get_matches_mut());
    let args = read.unwrap_or_else(|error| error.exit());
    let units = args.units(side);
    if args.pause_at.is_some_and(|pause_at| pause_at >= units) {
        let message = format!("--pause-at must be below the number of units, which is {units}");
        command.error(ErrorKind::ValueValidation, message).exit();
    }
    args
}

impl Args {
    pub(crate) fn units(&self, side: &Side) -> u64 {
        self.units.unwrap_or(side.statement.units)
    }

    /// Units per second; `None` is as fast as it goes.
    pub(crate) fn rate(&self, side: &Side) -> Option<f64> {
        match self.rate {
            Some(Rate::Max) => None,
            Some(Rate::PerSecond(rate)) => Some(rate),
            None => Some(side.statement.rate),
        }
    }

    pub(crate) fn console_addr(&self) -> Option<SocketAddr> {
        (!self.no_console).then_some(self.console)
    }
}
