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
mod claim;
pub mod cli;
pub mod counting;
pub mod deadlines;
pub mod endings;
pub mod exits;
pub mod hang_up;
pub mod joining;
pub mod locks;
pub mod loops;
pub mod owners;
pub mod pipes;
pub mod record;
pub mod runtime;

pub use claim::{Claim, rounded};

/// Every claim of this library, in the order of the book's table.
pub fn all() -> impl Iterator<Item = &'static Claim> {
    [channels::CLAIMS, cancellation::CLAIMS, endings::CLAIMS]
        .into_iter()
        .chain([counting::CLAIMS, loops::CLAIMS, hang_up::CLAIMS])
        .chain([joining::CLAIMS, owners::CLAIMS, deadlines::CLAIMS])
        .chain([pipes::CLAIMS, runtime::CLAIMS, exits::CLAIMS])
        .chain([locks::CLAIMS])
        .flatten()
}
