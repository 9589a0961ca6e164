//! The reader's loop: diagnose, fix, guard. [`answer`] grades a diagnosis by the [`key`] that a run of the given service tells, [`guard`] tries a
//! guard, and [`progress`] remembers what was done.

pub mod answer;
pub mod guard;
pub mod key;
pub mod progress;
