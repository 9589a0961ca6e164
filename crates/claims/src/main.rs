//! Prints every claim with what was seen just now:
//! `cargo run --bin claims`, or `cargo run --bin claims -- NAME`.

use std::process::ExitCode;

fn main() -> ExitCode {
    claims::cli::run(
        env!("CARGO_BIN_NAME"),
        &claims::all().collect::<Vec<_>>(),
    )
}
