//! Allowances with a number.

use std::{future::pending, time::Duration};

use leakcheck::{Checker, Report};
use tokio::{runtime::Builder, time::sleep};

const FILE: &str = file!();
const SPAWN: u32 = line!() + 2;
fn spawn(tasks: usize) {
    (0..tasks).for_each(|_| drop(tokio::spawn(pending::<()>())));
}

fn left(report: &Report) -> (usize, usize, usize) {
    (report.tasks(), report.allowed[0].tasks, report.allowed[0].surplus)
}

#[test]
fn so_many_tasks_are_allowed_and_no_more() {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true), Checker::multi_thread(2)] {
        for (tasks, surplus, allowed) in [(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 1, 2), (50, 48, 2)] {
            let found = checker.clone().allow_at_most(FILE, 2).find(move || async move { spawn(tasks) });
            assert_eq!(left(&found.report), (surplus, allowed, surplus), "{}", found.report);
            assert_eq!(found.report.is_clean(), surplus == 0);
        }
    }
}

#[test]
fn the_surplus_is_at_its_spawn_line_and_the_allowance_is_named() {
    let found = Checker::current_thread().allow_at_most(FILE, 1).find(|| async { spawn(3) });
    let text = format!(
        "leak: 2 tasks left\n  2 tasks spawned at {FILE}:{SPAWN}:34: parked; under 1 s old\n  allowed: 1 task by {FILE}, at \
         most 1: 2 too many\n"
    );
    // How long it waited belongs to other tests.
    let lines = found.report.to_string();
    let lines: String =
        lines.lines().filter(|line| !line.starts_with("  waited")).map(|line| format!("{line}\n")).collect();
    assert_eq!(lines, text);
    let json = found.report.to_json();
    assert!(
        json.contains(&format!(r#"{{"allowance":"{FILE}, at most 1","tasks":1,"given":true,"surplus":2}}"#)),
        "{json}"
    );
}

#[test]
fn what_ends_in_time_does_not_count_whichever_came_first() {
    for long_first in [true, false] {
        let found = Checker::multi_thread(2).allow_at_most(FILE, 1).find(move || async move {
            for long in [long_first, !long_first] {
                if long {
                    spawn(1);
                } else {
                    tokio::spawn(sleep(Duration::from_millis(30)));
                }
            }
        });
        assert!(found.report.is_clean(), "{}", found.report);
    }
}

#[test]
fn several_allowances_have_each_its_number_and_one_without_has_none() {
    let line = format!("allowances.rs:{SPAWN}");
    let find = |number| {
        let checker = Checker::current_thread().allow_at_most(&line, number).allow_at_most(FILE, 1);
        checker.find(|| async {
            spawn(2);
            tokio::spawn(pending::<()>());
        })
    };
    assert!(find(2).report.is_clean(), "{}", find(2).report);
    assert_eq!(find(1).report.tasks(), 1, "{}", find(1).report);
    let free = Checker::current_thread().allow(&line).allow_at_most(FILE, 1).find(|| async { spawn(40) });
    assert!(free.report.is_clean(), "{}", free.report);
}

#[test]
fn in_a_scope_the_tasks_of_the_scope_count() {
    let mut builder = Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.worker_threads(2).enable_all()).allow_at_most(FILE, 2).install();
    builder.build().unwrap().block_on(async {
        spawn(2);
        let scope = watch.scope();
        spawn(2);
        assert!(scope.find().await.is_clean(), "two of the scope");
        assert_eq!(watch.find().await.tasks(), 2, "four in all");
        spawn(1);
        assert_eq!(scope.find().await.tasks(), 1, "three of the scope");
    });
}

#[leakcheck::test(allow = ["src/nothing.rs", ("allowances.rs", at_most = 1)])]
#[should_panic(expected = "allowed: 1 task by allowances.rs, at most 1: 1 too many")]
async fn the_attribute_takes_a_number() {
    spawn(2);
}

#[test]
#[should_panic(expected = "cannot read the allowance \"a-crate\": at most 0 allows nothing")]
fn at_most_none_is_refused() {
    let _checker = Checker::current_thread().allow_at_most("a-crate", 0);
}
