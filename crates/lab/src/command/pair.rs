//! `cargo lab pair`.

use std::{
    path::Path,
    process::{ExitCode, Stdio},
    sync::Mutex,
};

use anyhow::Context;
use clap::Args;
use evidence::{
    catalogue::{Catalogue, Scenario},
    root,
};

use super::{block_on, interrupted, lock, print_json};
use crate::{
    cargo,
    child::NotStarted,
    pair::{self, Event},
    view::View,
};

/// The scenario's name and what to run of it.
#[derive(Args)]
pub struct Pair {
    /// The scenario or the control, as `cargo lab list` names it
    name: String,
    /// The sides to run at the same time: leak and fix, or leak and control, where none is named
    #[arg(long, value_delimiter = ',')]
    sides: Vec<String>,
    /// Print events as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Arguments for the programs, such as `--units 1000 --rate max`; `--help` prints all of them
    #[arg(last = true)]
    program_args: Vec<String>,
}

impl Pair {
    /// Runs the sides; exit code 0 when each did what it states, 1 when not, 2 when one did not start.
    pub fn run(mut self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        let catalogue = Catalogue::read(&root)?;
        let scenario = catalogue.find(&self.name)?;
        if self.sides.is_empty() {
            self.sides = scenario.pair().map(str::to_owned).into();
        }
        scenario.check_sides(&self.sides)?;
        block_on(async {
            tokio::select! {
                // First of all: no amount of news from the programs delays a signal. Dropping the run ends them.
                biased;
                code = interrupted() => Ok(code),
                code = self.run_until_judged(&root, scenario) => code,
            }
        })
    }

    async fn run_until_judged(&self, root: &Path, scenario: &Scenario) -> anyhow::Result<ExitCode> {
        if self.program_args.iter().any(|arg| arg == "--help" || arg == "-h") {
            return print_help(root, &scenario.bin(&self.sides[0])).await;
        }
        let view = Mutex::new(View::new(scenario, &self.sides));
        let ok = Mutex::new(false);
        let on = |event: Event| {
            if let Event::Verdict { ok: all, .. } = &event {
                *lock(&ok) = *all;
            }
            if self.json { print_json(&event) } else { lock(&view).show(&event) }
        };
        let Err(error) = pair::run_to_verdict(root, scenario, &self.sides, &self.program_args, &on).await else {
            return Ok(if *lock(&ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        };
        eprintln!("error: {error:#}");
        Ok(if error.is::<NotStarted>() { ExitCode::from(2) } else { ExitCode::FAILURE })
    }
}

/// What `--help` prints is not for the lab.
async fn print_help(root: &Path, bin: &str) -> anyhow::Result<ExitCode> {
    let built = cargo::build(root, &[bin.to_owned()], |_| {}).await?;
    let status = tokio::process::Command::new(&built[bin])
        .arg("--help")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("cannot start {bin}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
