//! `cargo leakcheck`: runs a suite, and prints in one table what its tests left behind.

use std::process::ExitCode;

fn main() -> ExitCode {
    leakcheck::__private::command()
}
