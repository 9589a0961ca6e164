//! One test for each promise that a version of Tokio could break. They use nothing that is not documented.
#![cfg(not(feature = "count-only"))]

use std::{future::pending, time::Duration};

use leakcheck::{Checker, Report};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

fn checkers() -> [Checker; 2] {
    [Checker::current_thread(), Checker::multi_thread(2)]
}

/// The line of this file that ends with the mark.
fn line_of(mark: &str) -> u32 {
    let place = include_str!("promises.rs").lines().position(|line| line.ends_with(mark));
    u32::try_from(place.expect("the mark is in this file") + 1).unwrap()
}

/// The lines of this file at which what is left was spawned, each with its count.
fn lines(report: &Report) -> Vec<(u32, usize)> {
    let here = report.survivors.iter().filter(|group| group.file.ends_with("tests/promises.rs"));
    assert_eq!(here.clone().count(), report.survivors.len(), "{report}");
    here.map(|group| (group.line, group.count)).collect()
}

#[leakcheck::test]
async fn what_ends_is_no_leak() {
    let (send, mut receive) = mpsc::channel(1);
    tokio::spawn(async move { while receive.recv().await.is_some() {} });
    send.send(()).await.unwrap();
}

#[should_panic(expected = "leak: 1 task left")]
#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_attribute_fails_a_test_that_leaks() {
    tokio::spawn(pending::<()>());
}

#[test]
fn a_leak_is_named_by_its_line() {
    for checker in checkers() {
        let body = || async {
            tokio::spawn(pending::<()>()); // ALONE
        };
        let found = checker.find(body).report;
        assert_eq!(lines(&found), [(line_of("// ALONE"), 1)], "{found}");
        assert_eq!(found.survivors[0].parked, 1, "{found}");
    }
}

/// Tokio 1.46.0 told a line of its own.
#[test]
fn a_join_set_and_a_boxed_future_are_named_by_their_line() {
    for checker in checkers() {
        let body = || async {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>()); // OF A SET
            // A large future is moved to the heap, on another way through Tokio.
            let large = [0_u8; 65_536];
            let large = async move {
                pending::<()>().await;
                std::hint::black_box(&large);
            };
            set.spawn(large); // LARGE
            std::mem::forget(set);
        };
        let found = checker.find(body).report;
        let mut lines = lines(&found);
        lines.sort();
        assert_eq!(lines, [(line_of("// OF A SET"), 1), (line_of("// LARGE"), 1)], "{found}");
    }
}

#[test]
fn the_task_that_spawned_another_one_is_told() {
    for checker in checkers() {
        let body = || async {
            let parent = async {
                tokio::spawn(pending::<()>()); // CHILD
            };
            tokio::spawn(parent).await.unwrap(); // PARENT
        };
        let found = checker.find(body).report;
        assert_eq!(lines(&found), [(line_of("// CHILD"), 1)], "{found}");
        let parent = found.survivors[0].parents[0].location.as_deref().unwrap_or_default();
        assert!(parent.contains(&format!("promises.rs:{}:", line_of("// PARENT"))), "{found}");
    }
}

#[test]
fn a_task_that_is_polled_again_and_again_is_live() {
    for checker in checkers() {
        let tick = async {
            loop {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let found = checker.find(|| async { drop(tokio::spawn(tick)) }).report;
        assert_eq!((found.tasks(), found.survivors[0].live), (1, 1), "{found}");
    }
}

#[test]
fn a_sleeper_of_nine_seconds_ends_in_virtual_time() {
    // In wall time it would get 2.5 s, and be reported.
    Checker::current_thread().assert(|| async { drop(tokio::spawn(sleep(Duration::from_secs(9)))) });
}

#[test]
fn a_blocking_closure_is_counted_and_can_be_allowed() {
    for checker in checkers() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let body = || async { drop(spawn_blocking(move || stopped.recv())) };
        let found = checker.clone().settle(Duration::from_millis(300)).find(body).report;
        drop(stop);
        assert_eq!((found.tasks(), found.blocking), (0, 1), "{found}");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        checker.allow_blocking(1).assert(|| async { drop(spawn_blocking(move || stopped.recv())) });
        drop(stop);
    }
}

#[test]
fn what_is_meant_to_stay_may_stay() {
    for checker in checkers() {
        checker.allow(file!()).assert(|| async { drop(tokio::spawn(pending::<()>())) });
    }
    for checker in checkers() {
        checker.assert(|| async { drop(leakcheck::daemon("keeper", || tokio::spawn(pending::<()>()))) });
    }
}

#[leakcheck::test]
async fn a_scope_forgets_what_lived_before() {
    let (stop, stopped) = oneshot::channel::<()>();
    let older = tokio::spawn(stopped);
    let scope = leakcheck::scope();
    let younger = tokio::spawn(pending::<()>());
    assert_eq!(scope.find().await.tasks(), 1);
    younger.abort();
    scope.assert().await;
    drop(stop);
    assert!(older.await.unwrap().is_err());
}

#[test]
fn a_runtime_of_ones_own_is_watched_from_any_thread() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.worker_threads(2).enable_all()).install();
    let runtime = builder.build().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let session = runtime.spawn(stopped);
    let page = watch.clone();
    assert_eq!(std::thread::spawn(move || page.report().tasks()).join().unwrap(), 1);
    drop(stop);
    runtime.block_on(async {
        assert!(session.await.unwrap().is_err());
        watch.assert().await;
    });
}

#[test]
fn a_body_that_never_returns_is_told() {
    for checker in checkers() {
        let found = checker.deadline(Duration::from_millis(200)).find(pending::<()>);
        assert!(found.value.is_err() && !found.report.is_clean(), "{}", found.report);
    }
}
