//! What lies around a check: names, files, other programs, signals.

use std::fs;

use rustix::{
    fs::{FlockOperation, flock},
    process::Signal,
};

use super::scratch::{NAME, UNIT, scratch};
use crate::common::{Lab, await_that};

#[test]
fn a_copy_that_is_missing_is_one_line_with_the_command_that_makes_it() {
    let scratch = scratch();
    fs::remove_file(scratch.path("mine")).unwrap();
    let said = scratch.check();
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    assert!(said.stderr.starts_with("error: cannot read exercises/upload-scan/mine.rs"), "{said:?}");
    assert!(said.stderr.contains("`cp exercises/upload-scan/start.rs exercises/upload-scan/mine.rs`"), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
}

#[test]
fn a_mistyped_name_or_side_is_one_line_with_the_nearest() {
    let scratch = scratch();
    for (args, expected) in [
        (&["check", "uplaod-scan"][..], "there is no exercise `uplaod-scan`: did you mean `upload-scan`?"),
        (&["check", NAME, "--side", "solutoin"], "upload-scan has no side `solutoin`: it has start, solution, "),
    ] {
        let said = scratch.run(args);
        assert_eq!((said.code, said.stderr.lines().count()), (2, 1), "{said:?}");
        assert!(said.stderr.contains(expected), "{said:?}");
    }
}

#[test]
fn a_copy_that_changes_while_it_is_checked_gets_no_verdict_and_keeps_the_change() {
    let scratch = scratch();
    let mut lab = Lab::start(scratch.lab(&["check", NAME, "--json"]));
    lab.line_with(r#""event":"sample","side":"mine""#);
    scratch.write_with("mine", UNIT, "// Another thought.\n        ");
    let (code, words) = lab.end();
    assert_eq!(code, 2, "{words}");
    assert_eq!(
        words.trim_end(),
        "error: exercises/upload-scan changed while it was checked: run `cargo lab check upload-scan` again"
    );
    assert!(fs::read_to_string(scratch.path("mine")).unwrap().contains("Another thought."));
    scratch.nothing_runs();
}

#[test]
fn another_cargo_that_holds_the_lock_is_told_and_waited_for() {
    let scratch = scratch();
    let lock =
        fs::File::options().create(true).append(true).open(scratch.root().join("target/debug/.cargo-lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let mut lab = Lab::start(scratch.lab(&["check", NAME, "--side", "solution"]));
    let line = lab.line_with("waiting for");
    assert!(line.starts_with("waiting for another cargo, which holds the "), "{line}");
    drop(lock);
    lab.line_with("upload-scan-solution passes");
    assert_eq!(lab.end().0, 0);
}

#[test]
fn ctrl_c_in_the_middle_leaves_nothing() {
    let scratch = scratch();
    let mut lab = Lab::start(scratch.lab(&["check", NAME, "--json"]));
    for side in ["mine", "solution"] {
        lab.line_with(&format!(r#""event":"started","side":"{side}""#));
    }
    lab.line_with(r#""event":"sample","side":"mine""#);
    assert_eq!(scratch.running().len(), 2, "both programs run");
    assert_eq!(lab.end_by(Signal::INT).0, 130);
    await_that("both programs end", || scratch.running().is_empty());
}

#[test]
fn kill_minus_nine_of_the_lab_leaves_nothing() {
    let scratch = scratch();
    let mut lab = Lab::start(scratch.lab(&["check", NAME, "--json"]));
    lab.line_with(r#""event":"sample","side":"mine""#);
    assert_eq!(lab.end_by(Signal::KILL).0, -9);
    await_that("both programs end", || scratch.running().is_empty());
}

#[test]
fn the_last_line_of_json_is_the_verdict() {
    let said = scratch().run(&["check", NAME, "--json"]);
    let last: serde_json::Value = serde_json::from_str(said.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["outcome"], &last["exercise"]),
        (&"verdict".into(), &"failed".into(), &NAME.into())
    );
    assert_eq!((&last["faults"][0]["key"], &last["per_unit"]), (&"tasks".into(), &0.5.into()));
    assert_eq!(last["spawned_at"][0]["alive"], 80);
}
