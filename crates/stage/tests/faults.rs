//! What the stage says of programs that do what no scenario does.

use std::{
    fs,
    process::{Command, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use stage::wire::{Line, Phase, Report};

/// Longer than the unit's deadline.
const HELD_UP: Duration = Duration::from_millis(1_500);

fn fixture(fault: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stage-fixture"));
    command.env("FIXTURE", fault).env("RUST_BACKTRACE", "0").arg("--no-console").args(args).stdin(Stdio::null());
    command
}

fn lines(output: &Output) -> Vec<Line> {
    let text = str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs it to its end with `--json`: its phases in their order, and its report.
fn report(fault: &str, args: &[&str]) -> (Vec<Phase>, Report) {
    let lines = lines(&fixture(fault, args).arg("--json").output().unwrap());
    let phase = |line: &Line| match line {
        Line::Sample(sample) => Some(sample.phase),
        _ => None,
    };
    let mut phases: Vec<_> = lines.iter().filter_map(phase).collect();
    phases.dedup();
    let Some(Line::Report(report)) = lines.last() else { panic!("no report: {lines:?}") };
    (phases, report.clone())
}

#[test]
fn a_unit_that_never_ends_is_cut_off_by_the_time_limit() {
    let (phases, report) = report("hangs", &["--seconds", "0.5"]);
    assert_eq!(phases.last(), Some(&Phase::Quiet));
    assert_eq!((report.units_done, report.units_cut_off), (0, 4));
    assert_eq!(report.stopped.as_deref(), Some("the time limit of 0.5 s was reached"));
    assert!(report.problems.contains(&"4 units did not end, and were cut off".to_owned()), "{:?}", report.problems);
}

#[test]
fn a_rate_that_offers_nothing_for_days_ends_in_time() {
    let (_, report) = report("", &["--rate", "0.00001", "--seconds", "0.5"]);
    assert_eq!((report.units_done, report.units_cut_off), (1, 0));
}

#[test]
fn a_panic_that_nobody_states_is_told() {
    let output = fixture("panics", &[]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Whatever it says of this machine, which may be busy.
    assert!(out.contains("panics: 4 more than before the load, at most 0 stated"), "{out}");
    assert_eq!(err.matches("every task dies").count(), 4, "{err}");
    assert!([Some(1), Some(3)].contains(&output.status.code()), "{out}");
}

#[test]
fn a_pool_is_judged_by_its_bound() {
    assert!(report("pool", &[]).1.problems.is_empty());
    assert_eq!(report("small-pool", &[]).1.problems, ["tasks: 4 more than before the load, at most 3 stated"]);
}

#[test]
fn a_stated_gauge_that_never_comes_is_told() {
    assert_eq!(report("typo", &[]).1.problems, ["kpet: stated, and never reported"]);
}

#[test]
fn a_wrong_manifest_is_one_line_with_its_key() {
    let output = fixture("no-manifest", &[]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!((words.lines().count(), output.status.code()), (1, Some(2)), "{words}");
    assert!(
        words.starts_with("error: Cargo.toml of stage-fixture, line 13, `fixture = { tasks = 'none' }`: "),
        "{words}"
    );
}

#[test]
fn memory_is_limited_however_fast_units_come() {
    let (_, report) = report("keeps", &["--units", "1000000", "--rate", "max", "--memory", "64"]);
    assert_eq!(report.stopped.as_deref(), Some("the memory limit of 64 MiB was reached"));
    assert!(report.units_done < 1_000_000 && !report.interrupted);
    assert!(report.after["rss_kib"] >= 64 * 1_024 && report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn a_load_may_rest_in_the_middle() {
    let (phases, report) = report("leaks", &["--units", "40", "--rate", "40", "--pause-at", "10"]);
    let plateau = report.plateau.unwrap();
    assert_eq!((plateau.units_done, plateau.gauges["tasks"]), (10, 10));
    assert_eq!((report.units_done, report.after["tasks"]), (40, 40));
    let quiet = phases.iter().filter(|phase| **phase == Phase::Quiet).count();
    assert_eq!(quiet, 2, "{phases:?}");
}

#[test]
fn a_unit_that_fails_has_failed() {
    let (_, report) = report("fails", &[]);
    // On a busy machine one may be late as well; `clock` has the test of what is late.
    assert_eq!(report.units_failed + report.units_late, 4);
    let said = |problem: &String| problem == "4 units failed";
    assert!(report.units_late > 0 || report.problems.iter().any(said), "{:?}", report.problems);
}

#[test]
fn a_unit_that_fails_because_the_process_was_held_up_is_late() {
    let child = fixture("held-up", &["--units", "1", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    while !is_stopped(pid) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(HELD_UP);
    kill_process(pid, Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    let Some(Line::Report(report)) = lines(&output).pop() else { panic!("no report: {output:?}") };
    assert_eq!((report.units_failed, report.units_late), (0, 1), "{report:?}");
    assert!(report.lateness.too_busy && report.lateness.timer_late_ms_max >= 1_000, "{report:?}");
    assert_eq!(output.status.code(), Some(3));
}

fn is_stopped(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}
