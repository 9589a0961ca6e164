//! What the sides cost while nothing happens: processor time, side against side, in one run.

use std::process::{Command, Stdio};

use stage::wire::{Line, Report};

/// A poll every 10 ms must cost at least this many times what the same tasks cost asleep.
const RATIO_MIN: u64 = 2;

#[test]
fn tasks_that_look_every_ten_milliseconds_cost_more_than_tasks_that_sleep()
 {
    let asleep =
        report(env!("CARGO_BIN_EXE_select-without-exit-leak"));
    let polling =
        report(env!("CARGO_BIN_EXE_select-without-exit-wrong-poll"));
    assert_eq!(asleep.after["tasks"], polling.after["tasks"]);
    let used = |report: &Report| {
        report.after["cpu_ms"] - report.before["cpu_ms"]
    };
    let (asleep, polling) = (used(&asleep), used(&polling));
    assert!(
        polling > RATIO_MIN * asleep,
        "{polling} ms against {asleep} ms"
    );
}

/// Runs a side to its end.
fn report(bin: &str) -> Report {
    let run = Command::new(bin)
        .args(["--json", "--no-console"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(run.status.success(), "{bin}: {run:?}");
    let lines = String::from_utf8(run.stdout).unwrap();
    let last = lines.lines().last().unwrap();
    match serde_json::from_str(last).unwrap() {
        Line::Report(report) => report,
        other => panic!("{bin}: {other:?}"),
    }
}
