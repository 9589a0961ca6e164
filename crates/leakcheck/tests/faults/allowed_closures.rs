//! F8: a blocking closure that is allowed to stay, such as a reader of standard input, takes no time from the tasks beside it.

use std::{
    future::pending,
    mem::forget,
    sync::mpsc,
    time::{Duration, Instant},
};

use leakcheck::Checker;
use tokio::{
    sync::{Mutex, oneshot},
    task::spawn_blocking,
    time::{interval, sleep, timeout},
};

use crate::common::{ALL, Done, ONE_THREAD, on};

/// Begins a closure that waits for ever, and waits until it does.
async fn a_reader_of_standard_input() {
    let (keep, wait) = mpsc::channel::<()>();
    let (begun, begin) = oneshot::channel();
    spawn_blocking(move || {
        begun.send(()).expect("the body waits");
        wait.recv()
    });
    begin.await.expect("the closure begins");
    forget(keep);
}

fn allowing(checker: Checker) -> Checker {
    checker.allow_blocking(1)
}

#[leakcheck::test(allow_blocking = 1)]
async fn f08_a_task_that_sleeps_for_five_seconds() {
    a_reader_of_standard_input().await;
    tokio::spawn(sleep(Duration::from_secs(5)));
}

#[test]
fn a_poller_that_looks_four_times() {
    on(ONE_THREAD).checked_by(allowing).ends(|| async {
        a_reader_of_standard_input().await;
        Done::when(async {
            let mut look = interval(Duration::from_secs(1));
            for _ in 0..5 {
                look.tick().await;
            }
            true
        })
    });
}

#[test]
fn a_request_that_gives_up_after_four_seconds() {
    on(ONE_THREAD).checked_by(allowing).ends(|| async {
        a_reader_of_standard_input().await;
        Done::when(async { timeout(Duration::from_secs(4), pending::<()>()).await.is_err() })
    });
}

/// One holds a lock on a timer, another waits for the lock.
#[test]
fn a_lease_that_another_task_waits_for() {
    on(ONE_THREAD).checked_by(allowing).ends(|| async {
        a_reader_of_standard_input().await;
        let lease = std::sync::Arc::new(Mutex::new(()));
        let held = lease.clone().lock_owned().await;
        tokio::spawn(async move {
            sleep(Duration::from_millis(3_500)).await;
            drop(held);
        });
        Done::when(async move {
            drop(lease.lock().await);
            true
        })
    });
}

/// The closure waits for nothing that can come, and the task neither.
#[test]
fn a_leak_beside_it_is_reported_without_a_long_wait() {
    let begun = Instant::now();
    const SPAWN: u32 = line!() + 3;
    on(ALL).checked_by(allowing).leaks(&[(SPAWN, 1)], || async {
        a_reader_of_standard_input().await;
        tokio::spawn(pending::<()>());
    });
    assert!(begun.elapsed() < Duration::from_secs(2), "a verdict after {:?}", begun.elapsed());
}

#[test]
fn the_report_calls_it_a_closure_and_not_a_task() {
    let found = Checker::current_thread().allow_blocking(1).find(|| async {
        a_reader_of_standard_input().await;
        tokio::spawn(pending::<()>());
    });
    let text = found.report.to_string();
    let line = text.lines().find(|line| line.contains("allowed:")).expect("it says what is allowed");
    assert!(!line.contains("task"), "{line}");
}
