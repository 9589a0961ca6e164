//! The reader's loop: diagnose, fix, guard. [`answer`] grades a diagnosis by the [`key`] that a run of the given service tells, [`guard`] tries a
//! guard, [`progress`] remembers what was done, and [`session`] watches the reader's files and says what is missing.

pub mod answer;
pub mod diagnosis;
pub mod dialog;
pub mod files;
pub mod guard;
pub mod keyboard;
pub mod layout;
pub mod list;
pub mod progress;
pub mod session;
