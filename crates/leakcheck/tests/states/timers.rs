//! A task that waits for a timer is told from one that waits for nothing, as far as that can be told.
#![cfg(target_os = "linux")]

use std::{future::pending, time::Duration};

use leakcheck::{Checker, Report, attach};
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{interval, sleep},
};

use super::{both, sum};

async fn ticker(period: u64) {
    let mut ticks = interval(Duration::from_secs(period));
    loop {
        ticks.tick().await;
    }
}

fn counts(report: &Report) -> (usize, usize, usize) {
    (sum(report, |group| group.parked), sum(report, |group| group.timer), sum(report, |group| group.live))
}

fn next(report: &Report) -> Duration {
    report.next_timer.unwrap_or_else(|| panic!("a timer is pending: {report}"))
}

/// On a busy machine the wait is long enough for a ticker of 2 s to be live.
#[test]
fn a_slow_ticker_waits_for_its_timer() {
    let [current, multi] = both(1);
    for (checker, period) in [(&current, 7), (&current, 30), (&multi, 2), (&multi, 7), (&multi, 30)] {
        let found = checker.clone().find(move || async move {
            tokio::spawn(ticker(period));
            sleep(Duration::from_millis(10)).await;
        });
        let (parked, timer, live) = counts(&found.report);
        assert_eq!(parked, 0, "every {period} s: {}", found.report);
        if period > 2 {
            assert_eq!((timer, live), (1, 0), "every {period} s: {}", found.report);
            assert!(next(&found.report) <= Duration::from_secs(period), "{}", found.report);
            assert!(found.report.to_string().contains(": timer; "), "{}", found.report);
        }
    }
}

#[test]
fn a_ticker_that_is_woken_several_times_is_live() {
    let found = Checker::current_thread().find(|| async { drop(tokio::spawn(ticker(1))) });
    assert_eq!(counts(&found.report), (0, 0, 1), "{}", found.report);
    let found = Checker::current_thread().start_paused(true).find(|| async { drop(tokio::spawn(ticker(2))) });
    assert_eq!(counts(&found.report), (0, 0, 1), "{}", found.report);
}

#[test]
fn a_sleep_beyond_the_horizon_is_a_timer_and_said_with_its_time() {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true), Checker::multi_thread(2)] {
        let found = checker.find(|| async { drop(tokio::spawn(sleep(Duration::from_secs(60)))) });
        assert_eq!(counts(&found.report), (0, 1, 0), "{}", found.report);
        let next = next(&found.report).as_secs();
        // Ten seconds of virtual time have passed, or up to three real ones; four is what tokio rounds by.
        assert!((40..60).contains(&next), "{}", found.report);
        let text = found.report.to_string();
        assert!(text.contains(&format!("\n  the next timer of this runtime fires in {next} s or later\n")), "{text}");
        assert!(found.report.to_json().contains(r#""timer":1"#), "{}", found.report.to_json());
    }
}

#[test]
fn of_several_tasks_it_is_only_said_that_one_may_wait_for_the_timer() {
    for checker in both(1) {
        let found = checker.find(|| async {
            tokio::spawn(sleep(Duration::from_secs(60)));
            for _ in 0..3 {
                tokio::spawn(pending::<()>());
            }
        });
        assert_eq!(counts(&found.report), (4, 0, 0), "{}", found.report);
        let text = found.report.to_string();
        assert!(text.contains(" s or later: one of the parked tasks may wait for it\n"), "{text}");
    }
}

#[test]
fn virtual_time_tells_a_ticker_from_the_parked_beside_it() {
    for paused in [false, true] {
        let found = Checker::current_thread().start_paused(paused).find(|| async {
            tokio::spawn(ticker(7));
            pending_forever();
        });
        assert_eq!(counts(&found.report), (3, 1, 0), "{}", found.report);
        let ticks = found.report.survivors.iter().find(|group| group.timer > 0).expect("one waits for a timer");
        assert_eq!((ticks.count, ticks.timer), (1, 1), "{}", found.report);
        assert!(found.report.to_string().contains(": 3 parked tasks may wait for it too\n"), "{}", found.report);
    }
}

fn pending_forever() {
    for _ in 0..3 {
        tokio::spawn(pending::<()>());
    }
}

#[test]
fn a_task_whose_timer_has_fired_is_parked_when_no_timer_is_left() {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true)] {
        let found = checker.find(|| async {
            tokio::spawn(async {
                sleep(Duration::from_secs(5)).await;
                pending::<()>().await;
            });
            yield_now().await;
        });
        assert_eq!(counts(&found.report), (1, 0, 0), "{}", found.report);
        assert_eq!(found.report.next_timer, None, "{}", found.report);
    }
}

#[test]
fn where_no_timer_is_pending_none_is_spoken_of() {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true), Checker::multi_thread(2)] {
        let found = checker.find(|| async {
            sleep(Duration::from_millis(5)).await;
            pending_forever();
        });
        assert_eq!(counts(&found.report), (3, 0, 0), "{}", found.report);
        assert_eq!(found.report.next_timer, None, "{}", found.report);
        assert!(!found.report.to_string().contains("the next timer"), "{}", found.report);
    }
}

/// The timer may be the daemon's.
#[test]
fn an_allowed_ticker_makes_no_timer_of_a_parked_task() {
    for checker in both(1) {
        let found = checker.find(|| async {
            leakcheck::daemon("ticker", || tokio::spawn(ticker(60)));
            tokio::spawn(pending::<()>());
            sleep(Duration::from_millis(5)).await;
        });
        assert_eq!(counts(&found.report), (1, 0, 0), "{}", found.report);
        let text = found.report.to_string();
        assert!(text.contains(" s or later: the parked task may wait for it\n"), "{text}");
    }
}

/// The timer may be the body's.
#[test]
fn a_body_that_sleeps_makes_no_timer_of_a_parked_task() {
    for checker in both(1) {
        let found = checker.deadline(super::DEADLINE).find(|| async {
            tokio::spawn(pending::<()>());
            sleep(Duration::from_secs(60)).await;
        });
        assert_eq!(counts(&found.report), (1, 0, 0), "{}", found.report);
        assert!(next(&found.report) < Duration::from_secs(60), "{}", found.report);
    }
}

/// No wait, no states.
#[test]
fn a_report_that_did_not_wait_names_no_state() {
    let mut builder = Builder::new_multi_thread();
    let watch = attach(builder.worker_threads(1)).install();
    let service = builder.build().unwrap();
    service.spawn(pending::<()>());
    let report = watch.report();
    assert_eq!((sum(&report, |group| group.unknown), sum(&report, |group| group.parked)), (1, 0), "{report}");
    assert!(report.to_string().contains(": not watched; "), "{report}");
    assert_eq!(counts(&service.block_on(watch.find())), (1, 0, 0));
}
