//! The feature `count-only`, in a build without `--cfg tokio_unstable`. `plain_build.rs` runs this file so.
#![cfg(not(tokio_unstable))]

use std::{future::pending, time::Duration};

use leakcheck::{Body, Checker};

#[test]
fn what_is_left_is_counted_without_a_spawn_line() {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true), Checker::multi_thread(2)] {
        let found = checker.find(|| async {
            tokio::spawn(pending::<()>());
            tokio::spawn(pending::<()>());
        });
        assert_eq!((found.report.tasks(), found.report.unnamed), (2, 2));
        let text = "leak: 2 tasks left\n  2 tasks without a spawn line: build with --cfg tokio_unstable to see it\n";
        assert!(found.report.to_string().starts_with(text), "{}", found.report);
    }
}

#[test]
fn a_clean_test_says_nothing() {
    for checker in [Checker::current_thread(), Checker::multi_thread(2)] {
        checker.assert(|| async {
            tokio::spawn(tokio::time::sleep(Duration::from_millis(60)));
        });
    }
}

#[test]
fn a_scope_forgets_as_many_tasks_as_lived_before() {
    let found = Checker::current_thread().find(|| async {
        tokio::spawn(pending::<()>());
        let scope = leakcheck::scope().settle(Duration::from_millis(20));
        assert!(scope.find().await.is_clean());
        tokio::spawn(pending::<()>());
        scope.find().await.tasks()
    });
    assert_eq!(found.value.unwrap(), 1);
}

#[test]
fn a_body_that_never_returns_is_reported() {
    let hung = Checker::current_thread().deadline(Duration::from_millis(50)).find(pending::<()>);
    assert!(matches!(hung.report.body, Body::Overdue(_)), "{}", hung.report);
}
