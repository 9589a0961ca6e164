//! A claim, and the ground that all of them stand on.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::runtime::{Builder, Handle};

/// A statement, and the program that shows it.
pub struct Claim {
    /// The name: of the anchor, in the record, on the command line.
    pub name: &'static str,
    /// The statement, in one sentence.
    pub says: &'static str,
    /// Runs the program; returns an object of what was seen.
    pub run: fn() -> anyhow::Result<Value>,
    /// True when a second run may see other numbers: times, bytes.
    pub noisy: bool,
    /// The crates that decide, beside our own code, what is seen.
    pub crates: &'static [&'static str],
    source: &'static str,
    beside: &'static [&'static str],
}

impl Claim {
    /// A claim that sees the same in every run.
    #[track_caller]
    pub const fn steady(
        name: &'static str,
        says: &'static str,
        run: fn() -> anyhow::Result<Value>,
    ) -> Self {
        Self {
            name,
            says,
            run,
            noisy: false,
            crates: &["axum", "futures-util", "tokio", "tokio-util"],
            // Where this is called is where the claim is written.
            source: Location::caller().file(),
            beside: &[file!()],
        }
    }

    /// A claim whose numbers vary from run to run.
    #[track_caller]
    pub const fn noisy(
        name: &'static str,
        says: &'static str,
        run: fn() -> anyhow::Result<Value>,
    ) -> Self {
        Self { noisy: true, ..Self::steady(name, says, run) }
    }

    /// The same claim, made by these files and crates, and its own.
    pub const fn made_by(
        self,
        beside: &'static [&'static str],
        crates: &'static [&'static str],
    ) -> Self {
        Self { beside, crates, ..self }
    }

    /// The files that decide what is seen, from the repository's root.
    pub fn files(&self) -> BTreeSet<&'static str> {
        self.beside.iter().copied().chain([self.source]).collect()
    }
}

/// Runs a claim on a runtime of its own, whose clock stands still
/// while a task can run, and jumps ahead when none can.
pub(crate) fn paused(
    claim: impl Future<Output = anyhow::Result<Value>>,
) -> anyhow::Result<Value> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    let seen = runtime.block_on(claim);
    // A blocking closure cannot be stopped: do not wait for it.
    runtime.shutdown_background();
    seen
}

/// Tasks alive now. The claim itself is in `block_on`, not a task.
pub(crate) fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// An hour of paused time: passes as soon as no task can run.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

/// The same future, which counts how often it is polled.
pub(crate) fn counted<F: Future>(
    polls: &Arc<AtomicUsize>,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    let (polls, mut future) = (polls.clone(), Box::pin(future));
    poll_fn(move |context| {
        polls.fetch_add(1, SeqCst);
        future.as_mut().poll(context)
    })
}

/// What a call returned, in one word.
pub(crate) fn word<T, E>(result: &Result<T, E>) -> &'static str {
    if result.is_ok() { "Ok" } else { "Err" }
}

/// One leading digit, the rest zeros: as much as a noisy number says.
pub fn rounded(number: u64) -> u64 {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or(0));
    (number + unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noisy_number_keeps_one_digit() {
        for (number, expected) in [
            (0, 0),
            (7, 7),
            (14, 10),
            (27, 30),
            (53_100, 50_000),
            (97, 100),
        ] {
            assert_eq!(rounded(number), expected);
        }
    }

    #[test]
    fn a_claim_knows_the_file_it_is_written_in() {
        let own = Claim::noisy("x", "", || Ok(Value::Null));
        assert_eq!(own.files(), BTreeSet::from([file!()]));
        let other = crate::loops::CLAIMS[0].files();
        assert_eq!(
            other,
            BTreeSet::from([file!(), "crates/claims/src/loops.rs"])
        );
    }
}
