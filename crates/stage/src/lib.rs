//! The stage a scenario plays on: everything around the service under study, and nothing of the service itself.
//!
//! A scenario's `main` is one call:
//!
//! ```no_run
//! # mod stage_doc { pub fn scenario() -> Result<stage::Side, String> { stage::Side::parse("mail-leak", "") } }
//! # use stage_doc::scenario;
//! fn main() -> std::process::ExitCode {
//!     stage::run(scenario(), async |stage| {          // in a scenario: `stage::scenario!()`
//!         let service = std::sync::Arc::new(());
//!         stage.load(async |_unit| Ok(())).await;     // N units of work, paced
//!         Ok(service)                                 // kept alive while the stage waits for quiet
//!     })
//! }
//! ```
//!
//! Every run has the same three phases: **load** (units of work at a rate), **quiet** (no more work; the stage waits until
//! the counts stand still) and **report** (what is left, per unit of work). That is the entire API, with
//! [`Stage::gauge`] for a number that only the scenario knows and [`wire`] for programs that read `--json`. [`console`] is for
//! who measures the stage's own instrument.

#![warn(missing_docs)]

mod args;
mod backstage;
pub mod console;
pub mod gauge;
mod gauges;
mod panics;
mod print;
mod side;
mod statement;
mod tasks;
pub mod wire;

pub use side::Side;
pub use statement::{RATE_MAX, RATE_MIN, Shape, Statement};

use std::{process::ExitCode, sync::Arc, time::Duration};

use backstage::Backstage;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use wire::Phase;

/// No more than this many units of work are under way at once, however fast they are asked for.
const UNITS_IN_FLIGHT_MAX: usize = 256;
/// The counts stand still when they have not changed for this long…
const STILL_MS: u64 = 1_500;
/// …or have been back at their value before the load for this long.
const BACK_MS: u64 = 750;
/// When a run is stopped early, units that are under way get this long to finish.
const FINISH_LIMIT: Duration = Duration::from_secs(2);
/// After the report, tasks that are still alive get this long to be dropped with the runtime.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Says which scenario and side this binary is, for [`run`]. The facts come from the package's own `Cargo.toml`, compiled in.
#[macro_export]
macro_rules! scenario {
    () => {
        $crate::Side::parse(env!("CARGO_BIN_NAME"), include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")))
    };
}

/// The handle a scenario gets: it offers work and collects the scenario's own gauge.
pub struct Stage {
    units: u64,
    rate: Option<f64>,
    load_limit: Option<Duration>,
    await_console: bool,
    backstage: Arc<Backstage>,
}

/// Runs one side of a scenario and returns its exit code: 0 when the run did what its side states,
/// 1 when it did not, 2 when the manifest, the arguments, the console port or the build were wrong.
///
/// `service` starts the service, offers it the load and returns what must stay alive while the stage waits for quiet:
/// a service that is dropped too early has no leak to show.
pub fn run<S, W>(side: Result<Side, String>, service: S) -> ExitCode
where
    S: AsyncFnOnce(&Stage) -> anyhow::Result<W>,
{
    let side = match side {
        Ok(side) => side,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match try_run(&side, service) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}: {error:#}", side.bin);
            ExitCode::from(2)
        }
    }
}

fn try_run<S, W>(side: &Side, service: S) -> anyhow::Result<ExitCode>
where
    S: AsyncFnOnce(&Stage) -> anyhow::Result<W>,
{
    let args = args::parse(side);
    panics::watch();
    anyhow::ensure!(
        cfg!(tokio_unstable),
        "built without `--cfg tokio_unstable`; a RUSTFLAGS variable hides .cargo/config.toml: run `unset RUSTFLAGS` and build again"
    );
    let console = args.console_addr().map(console::bind).transpose()?;
    let registry = tasks::Registry::default();
    let runtime = registry.watch(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all()).build()?;
    let backstage = Backstage::start(side, &args, runtime.handle().clone(), registry, console)?;
    let stage = Stage {
        units: args.units(side),
        rate: args.rate(side),
        load_limit: args.seconds,
        await_console: args.await_console,
        backstage: backstage.clone(),
    };
    let report = runtime.block_on(async {
        let world = service(&stage).await?;
        stage.quiet(args.settle).await;
        let report = stage.backstage.report(side);
        if args.hold {
            backstage.stopped().await;
        }
        drop(world);
        anyhow::Ok(report)
    })?;
    runtime.shutdown_timeout(SHUTDOWN);
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Stage {
    /// Offers the load: `unit(0)`, `unit(1)`, … at the asked rate, many under way at once, until the asked number is done.
    ///
    /// Units are polled here, inside the main future, and are not tasks: what the gauges count is the service's alone.
    /// A unit that returns an error is counted as failed, and a run with failed units never ends with exit code 0.
    pub async fn load(&self, unit: impl AsyncFn(u64) -> anyhow::Result<()>) {
        if self.await_console {
            self.backstage.attached().await;
        }
        self.backstage.enter(Phase::Load);
        let started = Instant::now();
        let mut pace = self.rate.map(|rate| {
            let mut pace = interval(Duration::from_secs_f64(1.0 / rate));
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            pace
        });
        let (mut next, mut under_way) = (0, FuturesUnordered::new());
        let late = || self.load_limit.is_some_and(|limit| started.elapsed() >= limit);
        while !self.backstage.is_stopped() {
            let room = next < self.units && under_way.len() < UNITS_IN_FLIGHT_MAX && !late();
            if !room && under_way.is_empty() {
                return;
            }
            tokio::select! {
                () = self.backstage.stopped() => {}
                Some(result) = under_way.next(), if !under_way.is_empty() => self.backstage.unit_done(result),
                () = tick(&mut pace), if room => {
                    under_way.push(unit(next));
                    next += 1;
                }
            }
        }
        // Stopped early: what was begun may finish, so that the counts per unit stay right.
        let rest = async {
            while let Some(result) = under_way.next().await {
                self.backstage.unit_done(result)
            }
        };
        let _ = timeout(FINISH_LIMIT, rest).await;
    }

    /// Adds a number that only the scenario knows (entries in a map, permits left) to every sample, under `name`.
    pub fn gauge(&self, name: &'static str, read: impl Fn() -> u64 + Send + 'static) {
        self.backstage.add_gauge(name, Box::new(read));
    }

    /// Waits until the counts stand still: back where they were before the load, or unchanged for a while; at most `limit`.
    async fn quiet(&self, limit: Duration) {
        self.backstage.enter(Phase::Quiet);
        let still = async {
            let mut last = (self.backstage.moving(), Instant::now());
            loop {
                sleep(Duration::from_millis(50)).await;
                let now = self.backstage.moving();
                if now != last.0 {
                    last = (now, Instant::now());
                }
                let needed = if self.backstage.is_back() { BACK_MS } else { STILL_MS };
                if last.1.elapsed() >= Duration::from_millis(needed) {
                    return;
                }
            }
        };
        // An interrupted run still reports; it only waits less.
        let limit = if self.backstage.is_stopped() { limit.min(Duration::from_secs(1)) } else { limit };
        if timeout(limit, still).await.is_err() {
            self.backstage.unsettled();
        }
    }
}

async fn tick(pace: &mut Option<tokio::time::Interval>) {
    match pace {
        Some(pace) => drop(pace.tick().await),
        // As fast as it goes, but let the service run in between.
        None => tokio::task::yield_now().await,
    }
}
