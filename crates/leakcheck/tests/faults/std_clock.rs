//! F1: a task sleeps on tokio's clock and has its limit from another. The other clock does not move with tokio's.

use std::{
    fs,
    path::PathBuf,
    process,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::common::{ALL, Done, on};

#[test]
fn f01_a_retry_with_a_deadline() {
    on(ALL).ends(|| async {
        Done::when(async {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(600) {
                sleep(Duration::from_millis(100)).await;
            }
            true
        })
    });
}

/// As in connection pools of HTTP clients.
#[test]
fn a_pool_whose_idle_connections_are_reaped() {
    on(ALL).ends(|| async {
        let mut idle_since = vec![Instant::now(); 3];
        Done::when(async move {
            let mut look = interval(Duration::from_millis(50));
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !idle_since.is_empty() {
                look.tick().await;
                idle_since.retain(|since| since.elapsed() < Duration::from_millis(500));
            }
            true
        })
    });
}

#[test]
fn a_credential_that_expires_by_the_calendar() {
    on(ALL).ends(|| async {
        let expires = SystemTime::now() + Duration::from_millis(700);
        Done::when(async move {
            while SystemTime::now() < expires {
                sleep(Duration::from_millis(20)).await;
            }
            true
        })
    });
}

/// Each pause is twice as long as the one before, until a budget of real time is spent.
#[test]
fn a_backoff_with_a_budget() {
    on(ALL).ends(|| async {
        Done::when(async {
            let (begun, mut pause) = (Instant::now(), Duration::from_millis(10));
            while begun.elapsed() < Duration::from_secs(1) {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(200));
            }
            true
        })
    });
}

/// A batcher that lingers a while for more.
#[test]
fn a_consumer_that_gives_up_when_nothing_came_for_a_while() {
    on(ALL).ends(|| async {
        let (lines, mut inbox) = mpsc::channel(4);
        lines.try_send("a line").expect("there is room");
        Done::when(async move {
            // The consumer keeps a sender itself, so the channel does not close.
            let _own = lines;
            let mut last = Instant::now();
            while last.elapsed() < Duration::from_millis(700) {
                if let Ok(Some(_)) = timeout(Duration::from_millis(30), inbox.recv()).await {
                    last = Instant::now();
                }
            }
            true
        })
    });
}

/// A lock file is stale after a time that the file system tells.
#[test]
fn a_lock_file_that_becomes_stale() {
    on(ALL).ends(|| async {
        let file = scratch_file();
        fs::write(&file, "pid").expect("it can be written");
        Done::when(async move {
            let age = || fs::metadata(&file).and_then(|file| file.modified()).map(|then| then.elapsed());
            while age().expect("it is there").is_ok_and(|age| age < Duration::from_millis(600)) {
                sleep(Duration::from_millis(100)).await;
            }
            fs::remove_file(&file).is_ok()
        })
    });
}

/// A name no other run uses.
fn scratch_file() -> PathBuf {
    let unique = format!("stale-{}-{:?}", process::id(), tokio::runtime::Handle::current().id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique)
}

/// What looks at the std clock for ever is still a leak.
#[test]
fn a_deadline_that_is_renewed_again_and_again() {
    const SPAWN: u32 = line!() + 2;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        tokio::spawn(async {
            let mut begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(600) {
                sleep(Duration::from_millis(100)).await;
                begun = Instant::now();
            }
        });
    });
}
