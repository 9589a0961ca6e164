//! The reader's loop as a reader meets it: a save, a verdict, an answer, a guard; and nothing left behind.

#[cfg(target_os = "linux")]
mod guards;
#[cfg(target_os = "linux")]
mod plain;
#[cfg(target_os = "linux")]
mod scratch;
#[cfg(target_os = "linux")]
mod terminal;
