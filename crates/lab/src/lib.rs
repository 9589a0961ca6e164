//! The lab: runs, watches and records the scenarios, and serves the book.
//!
//! Left to right: [`evidence::catalogue`] → [`cargo`] → [`child`] → [`console`] → [`evidence::series`] → [`evidence::verdict`] and
//! [`evidence::chart`] → terminal, file or page. What starts programs, waits or listens is here; what it saw is `evidence`, and what pages show of it
//! is `book`.

mod browser;
pub mod cargo;
pub mod check;
pub mod child;
pub mod command;
pub mod console;
pub mod doctor;
pub mod measure;
pub mod pair;
pub mod plan;
pub mod practice;
pub mod renew;
mod same_site;
pub mod serve;
pub mod today;
pub mod view;
