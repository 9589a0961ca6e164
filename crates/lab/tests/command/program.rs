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
    let root = evidence::root::find().unwrap();
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
fn ctrl_c_and_sigterm_end_with_the_report_and_without_a_verdict() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (said, ended) = stopped_by(signal);
        let said = said.join("\n");
        assert!(said.contains("stopped early, after") && said.contains("left per search (stated 6.00)"), "{said}");
        assert!(said.ends_with("STOPPED EARLY: no verdict"), "{said}");
        assert_eq!(ended, code, "{said}");
    }
}

#[test]
fn wrong_arguments_are_exit_code_two_and_one_line() {
    for args in [
        &["--rate", "0"][..],
        &["--rate", "1e10"],
        &["--rate", "1e300"],
        &["--rate", "1e-20"],
        &["--rate", "nan"],
        &["--units", "0"],
        &["--seconds", "-1"],
        &["--settle", "nan"],
        &["--memory", "0"],
        &["--pause-at", "200"],
        &["--console", "here"],
        &["--console", "127.0.0.1:0", "--no-console"],
    ] {
        let output = program(args).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(words.starts_with("error: ") && !words.contains("panicked"), "{args:?}: {words}");
    }
}

#[test]
fn a_rate_that_no_timer_can_keep_is_refused_with_the_range() {
    let output = program(&["--rate", "1e10"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("a number above 0, from 0.000001 to 1000000 per second"), "{words}");
}

#[test]
fn a_run_without_work_measured_nothing_and_is_exit_code_one() {
    let output = program(&["--no-console", "--seconds", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing was measured"));
}

#[test]
fn without_anybody_at_standard_input_a_hold_ends_with_the_report() {
    let output = program(&["--no-console", "--hold", "--units", "20"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("LEAKS, as this side states\n") && !said.contains("stopped early"), "{said}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn it_ends_when_its_standard_input_is_closed() {
    // A lab that dies closes it, even in the middle of the load.
    let mut command = program(&["--no-console", "--hold", "--units", "100000"]);
    command.stdin(Stdio::piped());
    let mut running = Lab::start(command);
    running.line_with("  load ");
    drop(running.child.stdin.take());
    running.line_with("interrupted: standard input was closed");
    assert_eq!(running.end().0, 130);
}

#[test]
fn a_signal_ends_a_load_of_a_million_units_at_once() {
    let args = ["--console", "127.0.0.1:0", "--units", "1000000", "--rate", "max"];
    let mut running = Lab::start(program(&args));
    running.line_with("  load ");
    running.line_with("  load ");
    running.signal(Signal::TERM);
    // The load ends within a moment: what follows are the report's lines, and no further sample of it.
    let rest: Vec<_> = running.lines.by_ref().map(Result::unwrap).collect();
    let samples = rest.iter().filter(|line| line.contains("  load ")).count();
    assert!(samples <= 1, "{rest:?}");
    assert_eq!(running.end().0, 143);
}
