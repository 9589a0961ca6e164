//! F9: a timer beyond ten seconds is waited for in virtual time, where somebody says how far it may go.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant as StdInstant},
};

use leakcheck::Checker;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::common::{Done, ONE_THREAD, on};

/// Real time that no horizon here may take, and virtual time by far exceeds.
const SOON: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Looks every 30 s whether its pool is gone.
async fn reap(pool: Weak<()>) -> bool {
    loop {
        sleep(Duration::from_secs(30)).await;
        if pool.upgrade().is_none() {
            return true;
        }
    }
}

/// A pool that is dropped with the body.
fn pool() -> Done {
    Done::when(reap(Arc::downgrade(&Arc::new(()))))
}

fn beyond_the_reaper(checker: Checker) -> Checker {
    checker.horizon(Duration::from_secs(31))
}

#[test]
fn f09_a_reaper_costs_no_real_time() {
    let begun = StdInstant::now();
    on(ONE_THREAD).checked_by(beyond_the_reaper).ends(|| async { pool() });
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

#[leakcheck::test(horizon = "31s")]
async fn f09_the_attribute_says_it_too() {
    pool();
}

#[leakcheck::test(horizon = "31s", start_paused = true)]
async fn f09_the_attribute_says_it_on_a_paused_clock() {
    pool();
}

#[test]
fn a_sweeper_that_comes_by_the_hour() {
    let begun = StdInstant::now();
    on(ONE_THREAD).checked_by(|checker| checker.horizon(4 * HOUR)).ends(|| async {
        Done::when(async {
            let mut hours = interval(HOUR);
            hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..4 {
                hours.tick().await;
            }
            true
        })
    });
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

/// The session waits for the one who has its sender, and both wait for minutes.
#[test]
fn a_session_with_a_limit_of_minutes() {
    on(ONE_THREAD).checked_by(|checker| checker.horizon(HOUR)).ends(|| async {
        let (requests, mut inbox) = mpsc::channel::<()>(1);
        tokio::spawn(async move {
            sleep(20 * MINUTE).await;
            drop(requests);
        });
        Done::when(async move {
            let first = timeout(10 * MINUTE, inbox.recv()).await;
            first.is_err() && inbox.recv().await.is_none()
        })
    });
}

/// Short steps on a long way.
#[test]
fn a_retry_that_gives_up_after_an_hour() {
    on(ONE_THREAD).checked_by(|checker| checker.horizon(2 * HOUR)).ends(|| async {
        Done::when(async {
            let begun = Instant::now();
            while begun.elapsed() < HOUR {
                sleep(Duration::from_secs(5)).await;
            }
            true
        })
    });
}

#[test]
fn a_scope_that_is_asked_to_moves_the_clock() {
    on(ONE_THREAD).ends(|| async {
        let (real, tokio) = (StdInstant::now(), Instant::now());
        let scope = leakcheck::scope().horizon(Duration::from_secs(31));
        let done = pool();
        scope.assert().await;
        assert!(real.elapsed() < SOON && tokio.elapsed() >= Duration::from_secs(30), "{:?}", tokio.elapsed());
        done
    });
}

#[test]
fn a_near_horizon_reports_what_lies_beyond_it() {
    const SPAWN: u32 = line!() + 2;
    on(ONE_THREAD).checked_by(|checker| checker.horizon(Duration::from_secs(1))).leaks(&[(SPAWN, 1)], || async {
        tokio::spawn(sleep(MINUTE));
    });
}

/// A ticker that leaks is asked a million times and more on the way, and the verdict comes all the same.
#[test]
fn a_far_horizon_and_a_fast_ticker() {
    const SPAWN: u32 = line!() + 2;
    on(ONE_THREAD).checked_by(|checker| checker.horizon(24 * HOUR)).leaks(&[(SPAWN, 1)], || async {
        tokio::spawn(async {
            let mut ticks = interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
            }
        });
    });
}
