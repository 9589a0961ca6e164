//! Every general statement that the opening chapters make about
//! Tokio, as a small program that runs.
//!
//! A claim is an async function of 5 to 15 lines. It runs on a
//! runtime of its own, with a paused clock, and returns what it saw:
//! tasks left, items lost, what a call returned. Claims come in
//! pairs, the leak and its counter-example. The book prints what
//! [`record`] wrote, and a test holds the record against a new run.
//!
//! One fact is told by the compiler instead. The Go program that
//! closes a channel twice panics; here it cannot be written:
//!
//! ```compile_fail,E0382
//! let (tx, _rx) = tokio::sync::mpsc::channel::<u8>(1);
//! drop(tx);
//! drop(tx); // error[E0382]: use of moved value: `tx`
//! ```
//!
//! Once is fine, so it is the second that does not compile:
//!
//! ```
//! let (tx, _rx) = tokio::sync::mpsc::channel::<u8>(1);
//! drop(tx);
//! ```
//!
//! The claims that need tokio-console's protocol are in the binary
//! `claims-console`. That is the entire crate.

pub mod cancellation;
pub mod channels;
pub mod cli;
pub mod counting;
pub mod endings;
pub mod loops;
pub mod record;

use std::{future::Future, time::Duration};

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
}

impl Claim {
    /// A claim that sees the same in every run.
    pub(crate) const fn steady(
        name: &'static str,
        says: &'static str,
        run: fn() -> anyhow::Result<Value>,
    ) -> Self {
        Self { name, says, run, noisy: false }
    }
}

/// Every claim of this library, in the order of the book's table.
pub fn all() -> impl Iterator<Item = &'static Claim> {
    [channels::CLAIMS, cancellation::CLAIMS, endings::CLAIMS]
        .into_iter()
        .chain([counting::CLAIMS, loops::CLAIMS])
        .flatten()
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
            assert_eq!(super::rounded(number), expected);
        }
    }
}
