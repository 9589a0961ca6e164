//! What a check tells besides tasks: numbers of allowances, panics, children, callers, and the place of its own failure.

mod allowances;
mod callers;
mod children;
mod panics;
mod place;

use std::{
    env,
    process::{Command, Output},
};

/// Runs the ignored tests of this program whose names begin so, as a process without the environment of this one.
fn run(filter: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    ["LEAKCHECK", "LEAKCHECK_BASELINE", "LEAKCHECK_REPORT", "LEAKCHECK_BACKTRACE"].iter().for_each(|name| {
        command.env_remove(name);
    });
    let command = command.args(["--ignored", filter]).env("RUST_BACKTRACE", "0").envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    (output, text)
}
