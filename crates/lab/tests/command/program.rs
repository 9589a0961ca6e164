//! A scenario's program by itself, as `cargo run --bin` starts it: its ends and its complaints.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::common::Lab;

const PROGRAM: &str = "unconsumed-send-leak";

/// The built program.
fn program(args: &[&str]) -> Command {
    let root = lab::root::find().unwrap();
    // Another test's build may hold cargo's lock for a while.
    let checker = leakcheck::Checker::current_thread().deadline(Duration::from_secs(1_800));
    let built =
        checker.assert(|| async move { lab::cargo::build(&root, &[PROGRAM.to_owned()], |_| {}).await }).unwrap();
    let path: &PathBuf = &built[PROGRAM];
    let mut command = Command::new(path);
    command.args(args).stdin(Stdio::null());
    command
}

/// Starts it, waits until it is at work, sends a signal, and returns what came after, with the exit code.
fn stopped_by(signal: Signal) -> (Vec<String>, i32) {
    let mut running = Lab::start(program(&["--console", "127.0.0.1:0", "--units", "100000"]));
    running.line_with("  load ");
    running.line_with("  load ");
    running.signal(signal);
    let rest = running.lines.by_ref().map(Result::unwrap).collect();
    (rest, running.end().0)
}

#[test]
fn a_taken_console_port_is_an_error_at_once() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = holder.local_addr().unwrap().to_string();
    let output = program(&["--console", &addr]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(words.contains(&format!("console port {addr} is taken")) && words.lines().count() == 1, "{words}");
    assert!(output.stdout.is_empty(), "it went on without its console");
}

#[test]
fn port_zero_is_printed() {
    let mut running = Lab::start(program(&["--console", "127.0.0.1:0"]));
    let line = running.line_with("watch it: tokio-console http://127.0.0.1:");
    assert!(!line.ends_with(":0"), "{line}");
}

#[test]
fn ctrl_c_and_sigterm_end_with_the_report() {
    for signal in [Signal::INT, Signal::TERM] {
        let (said, code) = stopped_by(signal);
        let said = said.join("\n");
        assert!(said.contains("stopped early, after"), "{said}");
        assert!(
            said.contains("left per search (stated 6.00)") && said.ends_with("LEAKS, as this side states"),
            "{said}"
        );
        assert_eq!(code, 0, "{said}");
    }
}

#[test]
fn wrong_arguments_are_exit_code_two() {
    for args in
        [&["--rate", "0"][..], &["--units", "0"], &["--console", "here"], &["--console", "127.0.0.1:0", "--no-console"]]
    {
        let output = program(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn a_run_without_work_measured_nothing_and_is_exit_code_one() {
    let output = program(&["--no-console", "--seconds", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing was measured"));
}

#[test]
fn it_ends_when_its_standard_input_ends() {
    // `--hold` with no input is a supervisor that is gone already.
    let output = program(&["--no-console", "--hold", "--units", "100000"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("stopped early"));
}
