//! A task that could run, and that nobody polls, is no parked one.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use leakcheck::Checker;
use tokio::{sync::Notify, task::yield_now};

use super::{DEADLINE, block, both, sum};

#[test]
fn tasks_behind_one_that_never_yields_starve() {
    for checker in both(1) {
        let found = checker.find(|| async {
            tokio::spawn(async { block() });
            for _ in 0..5 {
                tokio::spawn(pending::<()>());
            }
        });
        let report = found.report;
        let states = [sum(&report, |group| group.never_yields), sum(&report, |group| group.starved)];
        assert_eq!((states, sum(&report, |group| group.parked)), ([1, 5], 0), "{report}");
        assert!(report.to_string().contains(": woken but starved; "), "{report}");
    }
}

/// Tokio counts this one nowhere: it lies in the place of the worker for the task that was woken last.
#[test]
fn a_child_of_a_task_that_never_yields_starves_though_no_queue_has_it() {
    for workers in [1, 2] {
        let found = Checker::multi_thread(workers).find(|| async {
            tokio::spawn(async {
                tokio::spawn(pending::<()>());
                block();
            });
        });
        let report = found.report;
        let states = [sum(&report, |group| group.never_yields), sum(&report, |group| group.starved)];
        assert_eq!(states, [1, 1], "{report}");
    }
}

#[test]
fn ten_thousand_tasks_of_a_body_that_blocks_starve() {
    let found = Checker::current_thread().deadline(DEADLINE).find(|| async {
        for _ in 0..10_000 {
            tokio::spawn(async {});
        }
        block();
    });
    assert_eq!(sum(&found.report, |group| group.starved), 10_000, "{}", found.report);
    assert!(found.report.to_string().contains("  10000 tasks spawned at "), "{}", found.report);
}

/// Woken, and not new: the queue's length tells, since all are queued.
#[test]
fn tasks_that_are_all_woken_by_a_body_that_blocks_starve() {
    let found = Checker::current_thread().deadline(DEADLINE).find(|| async {
        let wake = Arc::new(Notify::new());
        for _ in 0..20 {
            let woken = wake.clone();
            tokio::spawn(async move { woken.notified().await });
        }
        yield_now().await;
        wake.notify_waiters();
        block();
    });
    assert_eq!(sum(&found.report, |group| group.starved), 20, "{}", found.report);
    assert_eq!(found.report.queued, 0, "{}", found.report);
}

#[test]
fn of_one_line_as_many_starve_as_are_queued() {
    let found = Checker::current_thread().deadline(DEADLINE).find(|| async {
        let wake = Arc::new(Notify::new());
        for _ in 0..20 {
            let woken = wake.clone();
            tokio::spawn(async move { woken.notified().await });
        }
        yield_now().await;
        (0..7).for_each(|_| wake.notify_one());
        block();
    });
    let report = found.report;
    assert_eq!((sum(&report, |group| group.starved), sum(&report, |group| group.parked)), (7, 13), "{report}");
    assert!(report.to_string().contains(": 13 parked, 7 woken but starved; "), "{report}");
}

/// Which line the queued ones are of is not known, and not said.
#[test]
fn of_two_lines_it_is_said_how_many_are_queued() {
    let found = Checker::current_thread().deadline(DEADLINE).find(|| async {
        let wake = Arc::new(Notify::new());
        for _ in 0..3 {
            tokio::spawn(wake.clone().notified_owned());
        }
        for _ in 0..5 {
            tokio::spawn(pending::<()>());
        }
        yield_now().await;
        wake.notify_waiters();
        block();
    });
    let report = found.report;
    assert_eq!((sum(&report, |group| group.parked), report.queued), (8, 3), "{report}");
    assert!(report.to_string().contains("\n  queued: 3 of the parked tasks, woken but starved\n"), "{report}");
    assert!(report.to_json().contains(r#""queued":3"#), "{}", report.to_json());
}

/// cert-manager#9217: many tasks are cancelled at once, and each has work to do. Those whose turn has not come are not parked.
#[test]
fn tasks_with_many_others_before_them_starve() {
    const TASKS: usize = 5_000;
    let checker = Checker::current_thread().settle(Duration::from_millis(200));
    let found = checker.find(|| async {
        let cancel = Arc::new(Notify::new());
        let waiting = Arc::new(AtomicUsize::new(0));
        for _ in 0..TASKS {
            let (cancelled, waits) = (cancel.clone(), waiting.clone());
            tokio::spawn(async move {
                waits.fetch_add(1, Ordering::Relaxed);
                cancelled.notified().await;
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(2) {
                    thread::yield_now();
                }
            });
        }
        while waiting.load(Ordering::Relaxed) < TASKS {
            yield_now().await;
        }
        cancel.notify_waiters();
    });
    let report = found.report;
    assert!(report.tasks() > 1_000, "{report}");
    // The look is taken while the thread works: a task or two may just have left the queue.
    assert!(sum(&report, |group| group.starved) + 10 >= report.tasks(), "{report}");
}

#[test]
fn a_parked_task_is_not_starved_by_a_body_that_blocks() {
    for checker in both(1) {
        let found = checker.deadline(DEADLINE).find(|| async {
            for _ in 0..4 {
                tokio::spawn(pending::<()>());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            block();
        });
        let report = found.report;
        assert_eq!((sum(&report, |group| group.parked), report.queued), (4, 0), "{report}");
    }
}
