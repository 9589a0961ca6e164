//! The claims about tokio-console, measured through its own protocol:
//! `cargo run --bin claims-console`, or with the name of one.
//!
//! A console server watches a whole process, so each claim starts
//! this program again as a *puppet*: a process that parks and ends
//! tasks when told to, with the console server of the claim's choice.

mod claims;
mod puppet;
mod watcher;
mod zoo;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some(puppet::FLAG), Some(console)) => puppet::play(&console),
        _ => ::claims::cli::run(
            env!("CARGO_BIN_NAME"),
            &claims::CLAIMS.iter().collect::<Vec<_>>(),
        ),
    }
}
