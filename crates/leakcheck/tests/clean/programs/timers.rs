//! Timers, tickers and retries that have an end.

use std::{
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::programs;

const MOMENT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(3600);

programs! {
    EVERYWHERE: [
        timeout_on_a_future,
        timeout_around_an_inline_send,
        interval_of_ten_ticks,
        interval_stopped_by_token,
        interval_stopped_by_drop_guard,
        ticker_with_a_weak_owner,
        ticker_with_a_closed_receiver,
        retry_that_succeeds,
        retry_that_gives_up,
        retry_cut_off_by_a_deadline,
        retry_stopped_by_token,
        debounce,
        heartbeat_over_watch,
        timer_reset_again_and_again,
        sleep_dropped_early,
        hour_long_sleep_aborted,
        batch_by_size_or_age,
        rate_limit,
    ],
}

async fn no_answer() -> u32 {
    sleep(LONG).await;
    0
}

async fn timeout_on_a_future() {
    assert!(timeout(MOMENT, no_answer()).await.is_err());
}

/// The request is a future of the caller's, so it ends with the wait.
async fn timeout_around_an_inline_send() {
    let (numbers, _inbox) = mpsc::channel(1);
    let task = tokio::spawn(async move {
        numbers.send(1).await.unwrap();
        timeout(MOMENT, numbers.send(2)).await.is_err()
    });
    assert!(task.await.unwrap());
}

async fn interval_of_ten_ticks() {
    tokio::spawn(async {
        let mut ticks = interval(MOMENT);
        for _ in 0..10 {
            ticks.tick().await;
        }
    })
    .await
    .unwrap();
}

/// Ticks until its token is cancelled.
async fn tick_until(token: CancellationToken) {
    let mut ticks = interval(MOMENT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            _ = ticks.tick() => {}
        }
    }
}

async fn interval_stopped_by_token() {
    let token = CancellationToken::new();
    let ticker = tokio::spawn(tick_until(token.clone()));
    sleep(MOMENT * 3).await;
    token.cancel();
    ticker.await.unwrap();
}

async fn interval_stopped_by_drop_guard() {
    let token = CancellationToken::new();
    tokio::spawn(tick_until(token.clone()));
    let _guard = token.drop_guard();
    sleep(MOMENT * 3).await;
}

/// The cache's sweeper holds the cache weakly: the next tick after its end is the last.
async fn ticker_with_a_weak_owner() {
    async fn sweep(cache: Weak<AtomicU32>) {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let Some(cache) = cache.upgrade() else { break };
            cache.fetch_add(1, Ordering::Relaxed);
        }
    }
    let cache = Arc::new(AtomicU32::new(0));
    tokio::spawn(sweep(Arc::downgrade(&cache)));
    sleep(MOMENT).await;
}

async fn ticker_with_a_closed_receiver() {
    let (ticks, mut inbox) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut every = interval(MOMENT);
        loop {
            every.tick().await;
            if ticks.send(()).await.is_err() {
                break;
            }
        }
    });
    assert!(inbox.recv().await.is_some());
}

/// Tries again with a doubled pause; gives up after `tries`.
async fn retry(tries: u32, succeeds_at: u32) -> Result<u32, u32> {
    let mut pause = Duration::from_millis(1);
    for attempt in 1..=tries {
        if attempt == succeeds_at {
            return Ok(attempt);
        }
        sleep(pause).await;
        pause *= 2;
    }
    Err(tries)
}

async fn retry_that_succeeds() {
    assert_eq!(tokio::spawn(retry(5, 3)).await.unwrap(), Ok(3));
}

/// Nobody waits for the retries. The retries end by themselves after 31 ms.
async fn retry_that_gives_up() {
    tokio::spawn(retry(5, u32::MAX));
    yield_now().await;
}

async fn retry_cut_off_by_a_deadline() {
    let result = tokio::spawn(timeout(Duration::from_millis(20), retry(u32::MAX, u32::MAX)));
    assert!(result.await.unwrap().is_err());
}

async fn retry_stopped_by_token() {
    let token = CancellationToken::new();
    let task = tokio::spawn(token.clone().run_until_cancelled_owned(retry(20, u32::MAX)));
    sleep(MOMENT).await;
    token.cancel();
    assert!(task.await.unwrap().is_none());
}

/// Flushes 10 ms after the last key; the flush is pending when the body returns.
async fn debounce() {
    let (keys, mut inbox) = mpsc::channel::<char>(8);
    tokio::spawn(async move {
        let mut line = String::new();
        while let Some(key) = inbox.recv().await {
            line.push(key);
            while let Ok(Some(key)) = timeout(Duration::from_millis(10), inbox.recv()).await {
                line.push(key);
            }
        }
    });
    for key in "leak".chars() {
        keys.send(key).await.unwrap();
    }
}

/// `send` fails when nobody watches any more.
async fn heartbeat_over_watch() {
    let (beats, mut seen) = watch::channel(0);
    tokio::spawn(async move {
        let mut ticks = interval(MOMENT);
        for beat in 1.. {
            ticks.tick().await;
            if beats.send(beat).is_err() {
                break;
            }
        }
    });
    seen.wait_for(|beat| *beat >= 3).await.unwrap();
}

async fn timer_reset_again_and_again() {
    let task = tokio::spawn(async {
        let mut idle = pin!(sleep(LONG));
        for _ in 0..10 {
            idle.as_mut().reset(Instant::now() + MOMENT);
            yield_now().await;
        }
        idle.await;
    });
    task.await.unwrap();
}

async fn sleep_dropped_early() {
    let task = tokio::spawn(async {
        tokio::select! {
            () = sleep(LONG) => panic!("the hour is over"),
            () = sleep(MOMENT) => {}
        }
    });
    task.await.unwrap();
}

async fn hour_long_sleep_aborted() {
    let sleeper = tokio::spawn(sleep(LONG));
    yield_now().await;
    sleeper.abort();
    assert!(sleeper.await.unwrap_err().is_cancelled());
}

/// A batch goes out when it is full or old; the rest goes out when the channel closes.
async fn batch_by_size_or_age() {
    let (items, mut inbox) = mpsc::channel(8);
    let batcher = tokio::spawn(async move {
        let (mut sent, mut batch) = (0, Vec::new());
        let mut age = interval(MOMENT);
        loop {
            let open = tokio::select! {
                item = inbox.recv() => item.map(|item: u32| batch.push(item)).is_some(),
                _ = age.tick() => true,
            };
            sent += batch.drain(..).len();
            if !open {
                return sent;
            }
        }
    });
    for item in 0..20 {
        items.send(item).await.unwrap();
    }
    drop(items);
    assert_eq!(batcher.await.unwrap(), 20);
}

async fn rate_limit() {
    let start = Instant::now();
    let limited = tokio::spawn(async move {
        for request in 0..5 {
            sleep_until(start + MOMENT * request).await;
        }
    });
    limited.await.unwrap();
    assert!(start.elapsed() >= MOMENT * 4);
}
