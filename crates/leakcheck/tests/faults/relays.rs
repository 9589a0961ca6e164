//! Tasks that take turns in keeping something alive, each for a time of std's clock. In real time one of them is always there. Virtual
//! time passes without that clock: there all of them begin at once, so they end together, and what they keep ends with them.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, mpsc},
    time::{interval, sleep},
};

use crate::common::{Done, ONE_THREAD, REAL_TIME, on};

const MS: Duration = Duration::from_millis(1);
/// How often somebody looks whether the thing is still there.
const LOOK: Duration = Duration::from_secs(1);
/// A turn: longer than from one look to the next, and shorter than two.
const TURN: Duration = Duration::from_millis(1_250);
/// Ends between two looks, when one task alone has its turn.
const BODY: Duration = Duration::from_millis(2_400);

/// Tries again and again, until this much time of std's clock has passed.
async fn try_for(limit: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        sleep(50 * MS).await;
    }
}

struct Pool {
    pending: AtomicUsize,
}

async fn refill(pool: Arc<Pool>) {
    try_for(TURN).await;
    pool.pending.fetch_sub(1, Ordering::SeqCst);
}

const REFILL: u32 = line!() + 7;
async fn look_after(pool: Weak<Pool>) {
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.pending.fetch_add(1, Ordering::SeqCst) < 2 {
            tokio::spawn(refill(pool));
        } else {
            pool.pending.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// The pool's owner is gone. Its refills hold the pool, and whoever looks after the pool starts one while another still tries. bb8 is
/// such a pool.
#[test]
fn a_pool_that_its_own_refills_keep() {
    const KEEPER: u32 = line!() + 3;
    on(REAL_TIME).leaks_some(&[REFILL, KEEPER], || async {
        let pool = Arc::new(Pool { pending: AtomicUsize::new(0) });
        tokio::spawn(look_after(Arc::downgrade(&pool)));
        sleep(BODY).await;
    });
}

/// A door that is kept for as long as somebody may knock, and those who may are sent by its keeper.
#[test]
fn a_channel_whose_reader_starts_its_writers() {
    const READER: u32 = line!() + 6;
    const WRITER: u32 = READER + 5;
    on(REAL_TIME).leaks_some(&[WRITER, READER], || async {
        let (lines, inbox) = mpsc::channel::<String>(8);
        let weak = lines.downgrade();
        let mut looks = interval(LOOK);
        tokio::spawn(async move {
            let _inbox = inbox;
            while let (_, Some(lines)) = (looks.tick().await, weak.upgrade()) {
                // This one, and one that is under way.
                if lines.strong_count() <= 2 {
                    tokio::spawn(async move {
                        try_for(TURN).await;
                        drop(lines);
                    });
                }
            }
        });
        sleep(BODY).await;
        drop(lines);
    });
}

/// A supervisor starts a worker for each permit that is free, until nobody works.
#[test]
fn workers_that_are_started_until_nobody_works() {
    const SUPERVISOR: u32 = line!() + 6;
    const WORKER: u32 = SUPERVISOR + 4;
    on(REAL_TIME).leaks_some(&[WORKER, SUPERVISOR], || async {
        let permits = Arc::new(Semaphore::new(2));
        let asked = permits.clone().try_acquire_owned().expect("it is free");
        let mut looks = interval(LOOK);
        tokio::spawn(async move {
            while permits.available_permits() < 2 {
                // One at a time, and not before the next look.
                if let Ok(permit) = permits.clone().try_acquire_owned() {
                    tokio::spawn(async move {
                        try_for(TURN).await;
                        drop(permit);
                    });
                }
                looks.tick().await;
            }
        });
        sleep(BODY).await;
        drop(asked);
    });
}

/// The look at tasks that replace each other takes nothing from those that come to their end.
#[test]
fn turns_that_run_out() {
    on(REAL_TIME).ends(|| async {
        let done = Done::when(async {
            for _ in 0..3 {
                tokio::spawn(try_for(300 * MS)).await.expect("it tries in vain");
            }
            true
        });
        sleep(1_100 * MS).await;
        done
    });
}

/// Nor is the clock kept from a task that only waits, and that started another one before.
#[test]
fn a_long_timer_after_a_long_body() {
    on(ONE_THREAD).ends(|| async {
        let done = Done::when(async {
            tokio::spawn(sleep(9_000 * MS)).await.expect("it only waits");
            true
        });
        sleep(BODY).await;
        done
    });
}
