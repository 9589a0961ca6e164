//! Child processes that are left running.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};

use leakcheck::{Checker, Report};
use tokio::task::spawn_blocking;

/// A process that runs until its standard input is closed.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn pids(report: &Report) -> Vec<u32> {
    report.children.iter().map(|child| child.pid).collect()
}

#[test]
fn a_child_that_runs_is_told_and_is_no_leak() {
    for checker in [Checker::current_thread(), Checker::multi_thread(2)] {
        let found = checker.find(|| async { (cat(), spawn_blocking(cat).await.unwrap()) });
        let (direct, pooled) = found.value.unwrap();
        let mut expected = vec![direct.id(), pooled.id()];
        expected.sort_unstable();
        let mut seen = pids(&found.report);
        seen.sort_unstable();
        assert_eq!(seen, expected, "{}", found.report);
        assert!(found.report.is_clean() && found.report.children.iter().all(|child| child.command == "cat"));
        let line = format!("  child process {} still runs: cat\n", direct.id());
        assert!(found.report.to_string().contains(&line), "{}", found.report);
        assert!(found.report.to_json().contains(&format!(r#"{{"pid":{},"command":"cat"}}"#, direct.id())));
        end(direct);
        end(pooled);
    }
}

#[test]
fn a_child_that_has_ended_is_not_told_even_if_nobody_waited_for_it() {
    let found = Checker::current_thread().find(|| async {
        let mut child = cat();
        drop(child.stdin.take());
        // It is a zombie until somebody waits.
        while !std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") Z ") {
            tokio::task::yield_now().await;
        }
        child
    });
    assert_eq!(pids(&found.report), [0; 0], "{}", found.report);
    found.value.unwrap().wait().unwrap();
}

#[test]
fn the_children_of_other_tests_at_the_same_time_are_not_told() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let found = Checker::current_thread().find(|| async { cat() });
                    let child = found.value.unwrap();
                    assert_eq!(pids(&found.report), [child.id()], "{}", found.report);
                    end(child);
                    let found = Checker::current_thread().find(|| async {});
                    assert_eq!(pids(&found.report), [0; 0], "{}", found.report);
                }
            });
        }
    });
}

/// The gap that the documentation names.
#[test]
fn a_child_of_a_plain_thread_is_not_seen() {
    let found = Checker::current_thread().find(|| async { std::thread::spawn(cat).join().unwrap() });
    assert_eq!(pids(&found.report), [0; 0], "no longer blind: {}", found.report);
    end(found.value.unwrap());
}

#[leakcheck::test(children = "fail")]
#[should_panic(expected = "child process left:\n  child process ")]
async fn the_attribute_makes_it_a_failure() {
    // It ends with this process, whose end of the pipe it reads.
    std::mem::forget(cat());
}
