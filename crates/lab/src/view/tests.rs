use evidence::verdict::{Outcome, Verdict};

use super::*;

/// What stands below the verdict of a leak of 480 tasks, of which so many are from one line and so many of these wait.
fn told(there: u64, waiting: u64, said: &[&str]) -> Vec<String> {
    details(&SideVerdict {
        text: "leaks".into(),
        verdict: Verdict { outcome: Outcome::Leaks, gauge: "tasks".into(), per_unit: Some(1.0), left: String::new() },
        program_tasks: 480,
        console_tasks: 480,
        dropped_events: 0,
        spawned_at: Some("a.rs:1:2".into()),
        spawned_there: there,
        waits_on: Some("a lock".into()),
        waiting_there: waiting,
        stopped: None,
        said: said.iter().map(|line| (*line).to_owned()).collect(),
    })
}

#[test]
fn the_count_of_a_line_and_of_those_that_wait_are_two_numbers() {
    assert_eq!(
        told(480, 360, &[])[..2],
        ["all 480 tasks left were spawned at a.rs:1:2", "of these, 360 wait on: a lock"]
    );
    assert_eq!(
        told(120, 120, &[])[..2],
        ["120 of the 480 tasks left were spawned at a.rs:1:2", "they wait on: a lock"]
    );
}

#[test]
fn what_a_program_said_is_shown_below() {
    assert_eq!(told(480, 480, &["thread panicked"])[3..], ["it said on standard error:", "  thread panicked"]);
}
