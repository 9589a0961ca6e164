//! Prints every claim with what was seen just now:
//! `cargo run --bin claims`, or `cargo run --bin claims -- NAME`.

use std::process::ExitCode;

fn main() -> ExitCode {
    claims::cli::run(&claims::all().collect::<Vec<_>>())
}
