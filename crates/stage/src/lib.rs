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
mod clock;
pub mod console;
mod ending;
pub mod gauge;
mod gauges;
mod load;
mod observer;
mod panics;
mod print;
mod side;
mod statement;
mod tasks;
pub mod wire;

pub use side::Side;
pub use statement::{RATE_MAX, RATE_MIN, Shape, Statement};

use std::{process::ExitCode, sync::Arc, time::Duration};

use load::Plan;
use observer::Observer;
use wire::Report;

/// After the report, tasks that are still alive get this long to be dropped with the runtime.
const SHUTDOWN: Duration = Duration::from_secs(1);
/// The exit code of a run that differs on a machine that was too busy to tell.
const TOO_BUSY: u8 = 3;

/// Says which scenario and side this binary is, for [`run`]. The facts come from the package's own `Cargo.toml`, compiled in.
#[macro_export]
macro_rules! scenario {
    () => {
        $crate::Side::parse(env!("CARGO_BIN_NAME"), include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")))
    };
}

/// The handle a scenario gets: it offers work and collects the scenario's own gauges.
pub struct Stage {
    plan: Plan,
    observer: Arc<Observer>,
}

/// Runs one side of a scenario and returns its exit code: 0 when the run did what its side states,
/// 1 when it did not, 2 when the manifest, the arguments, the console port or the build were wrong, 3 when it did not and this
/// machine was too busy to tell, 130 or 143 when it was interrupted.
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
    let observer = Observer::start(side, &args, runtime.handle().clone(), registry, console)?;
    let stage = Stage { plan: Plan::new(&args, side), observer: observer.clone() };
    let report = runtime.block_on(async {
        let world = service(&stage).await?;
        stage.rest().await;
        let report = observer.report(side);
        if args.hold {
            observer.ending.hold_over().await;
        }
        drop(world);
        anyhow::Ok(report)
    })?;
    // Who interrupts a run does not wait until millions of tasks are dropped.
    runtime.shutdown_timeout(if observer.ending.is_interrupted() { Duration::ZERO } else { SHUTDOWN });
    Ok(exit_code(&report, &observer))
}

fn exit_code(report: &Report, observer: &Observer) -> ExitCode {
    match observer.ending.reason() {
        Some(reason) if report.interrupted => ExitCode::from(reason.exit_code()),
        _ if report.lateness.forbids_verdict(!report.problems.is_empty()) => ExitCode::from(TOO_BUSY),
        _ if report.problems.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

impl Stage {
    /// Adds a number that only the scenario knows (entries in a map, permits left) to every sample, under `name`.
    /// One that is not a level of things says so in `[package.metadata.lab.gauges]`.
    pub fn gauge(&self, name: &'static str, read: impl Fn() -> u64 + Send + 'static) {
        self.observer.add_gauge(name, Box::new(read));
    }
}
