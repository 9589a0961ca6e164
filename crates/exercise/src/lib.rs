//! What an exercise's programs need beside the [`stage`]: the [`World`] around the service, the [`Ledger`] of its work, and its end.
//!
//! A program of an exercise is one file with the service and a `main` of one line:
//!
//! ```ignore
//! mod world;
//! fn main() -> std::process::ExitCode {
//!     exercise::run::<world::World>(exercise::side!())
//! }
//! ```
//!
//! `world.rs` is the same for all of them: it starts the peers and the service, asks for one unit of work at a time, checks each
//! answer, and ends the service. What a run must show is what the exercise states of its `solution`: every side is held against that.
//! A run says the lines of [`stage::wire`], and after its report one [`Closing`].

#![warn(missing_docs)]

mod closing;
mod heap;
mod ledger;
mod side;

pub use closing::{CLOSE_LIMIT, Closing};
pub use ledger::Ledger;
pub use side::side;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use closing::Open;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;

/// Says which side of which exercise this binary is, for [`run`].
#[macro_export]
macro_rules! side {
    () => {
        $crate::side(env!("CARGO_BIN_NAME"), include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")))
    };
}

/// What lies around a service: its peers, its clients, and the `main` that it has elsewhere.
pub trait World: Sized + Send + Sync + 'static {
    /// Starts the peers and the service.
    fn open() -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Asks for one unit of work, and checks the answer. An error is an answer that is wrong or missing.
    fn unit(&self, n: u64) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Brings work under way, then ends the service as its `main` does at SIGTERM; returns when the service has ended.
    fn close(&self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// What was accepted and what became of it.
    fn ledger(&self) -> &Ledger;

    /// Adds the numbers that only this world knows.
    fn gauges(self: &Arc<Self>, _stage: &Stage) {}
}

/// Runs one side of an exercise: the load, the report, and at the end of the run the end of the service. Returns the exit code
/// that [`stage::run`] gives. Besides the world's gauges there are `unfinished` (accepted, and neither finished nor
/// refused), `repeated` (finished more than once) and `heap_kib` (bytes allocated and not freed, in steps of 1 KiB).
pub fn run<W: World>(side: Result<stage::Side, String>) -> ExitCode {
    let json = std::env::args().any(|arg| arg == "--json");
    stage::run(side, async |stage| {
        let world = Arc::new(W::open().await?);
        gauges(&world, stage);
        let times = Times::default();
        stage
            .load(async |n| {
                let since = Instant::now();
                let answer = world.unit(n).await;
                times.add(since.elapsed());
                answer
            })
            .await;
        Ok(Open::new(world, times.median(), json))
    })
}

fn gauges<W: World>(world: &Arc<W>, stage: &Stage) {
    let [unfinished, repeated] = [world.clone(), world.clone()];
    stage.gauge("unfinished", move || unfinished.ledger().unfinished());
    stage.gauge("repeated", move || repeated.ledger().repeated());
    stage.gauge("heap_kib", heap::kib);
    world.gauges(stage);
}

/// How long the units of a run took.
#[derive(Default)]
struct Times(Mutex<Vec<Duration>>);

impl Times {
    fn add(&self, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(time);
    }

    /// The middle one; none without units.
    fn median(&self) -> Option<Duration> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

/// Waits for all of these, and returns the first error.
///
/// # Errors
/// When one of them has failed.
pub async fn all(work: impl IntoIterator<Item = impl Future<Output = anyhow::Result<()>>>) -> anyhow::Result<()> {
    let work: FuturesUnordered<_> = work.into_iter().collect();
    let results: Vec<_> = work.collect().await;
    results.into_iter().collect()
}
