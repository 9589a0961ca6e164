//! Slow finishers: nobody waits for these tasks, and they end by themselves after the body.

use std::{
    pin::Pin,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::{JoinSet, yield_now},
    time::{interval, sleep},
};

use super::programs;

programs! {
    EVERYWHERE: [
        ends_after_1_ms,
        ends_after_60_ms,
        ends_after_300_ms,
        ends_after_1_s,
        ends_after_2_s,
        ends_one_after_the_other,
        ends_at_many_times,
        last_words_in_small_steps,
        linger_then_close,
        works_300_ms_in_one_poll,
        works_300_ms_in_slices,
        yields_ten_thousand_times,
        flush_after_the_last_sender,
        waits_for_a_sleeper,
        hands_over_to_the_next,
    ],
    REAL_TIME: [woken_by_a_thread_after_30_ms, many_woken_by_a_thread, thread_sends_for_50_ms],
}

fn finish_after(pause: Duration) {
    tokio::spawn(sleep(pause));
}

async fn ends_after_1_ms() {
    finish_after(Duration::from_millis(1));
}

async fn ends_after_60_ms() {
    finish_after(Duration::from_millis(60));
}

async fn ends_after_300_ms() {
    finish_after(Duration::from_millis(300));
}

async fn ends_after_1_s() {
    finish_after(Duration::from_secs(1));
}

async fn ends_after_2_s() {
    finish_after(Duration::from_secs(2));
}

/// Each task starts the next one when it ends, so the task that is alive at the verdict is always young.
async fn ends_one_after_the_other() {
    fn last(left: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            sleep(Duration::from_millis(30)).await;
            if left > 0 {
                tokio::spawn(last(left - 1));
            }
        })
    }
    tokio::spawn(last(9));
}

async fn ends_at_many_times() {
    for step in 0..100 {
        finish_after(Duration::from_millis(step * 5));
    }
}

/// Ticks like a leaked ticker would, but only for half a second.
async fn last_words_in_small_steps() {
    tokio::spawn(async {
        let mut ticks = interval(Duration::from_millis(5));
        for _ in 0..100 {
            ticks.tick().await;
        }
    });
}

/// A connection that stays half open for a second, as a closing socket does.
async fn linger_then_close() {
    let (connection, peer) = oneshot::channel::<()>();
    tokio::spawn(async move {
        sleep(Duration::from_millis(500)).await;
        drop(connection);
    });
    tokio::spawn(async move {
        // Closed without a word.
        peer.await.unwrap_err();
        sleep(Duration::from_millis(500)).await;
    });
}

fn work_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// One poll of 300 ms: bad manners, but no leak.
async fn works_300_ms_in_one_poll() {
    tokio::spawn(async { work_for(Duration::from_millis(300)) });
}

async fn works_300_ms_in_slices() {
    tokio::spawn(async {
        for _ in 0..60 {
            work_for(Duration::from_millis(5));
            yield_now().await;
        }
    });
}

async fn yields_ten_thousand_times() {
    for _ in 0..4 {
        tokio::spawn(async {
            for _ in 0..10_000 {
                yield_now().await;
            }
        });
    }
}

/// The writer sees the end of its channel and then takes its time to flush.
async fn flush_after_the_last_sender() {
    let (lines, mut inbox) = mpsc::channel(8);
    tokio::spawn(async move {
        while inbox.recv().await.is_some() {}
        sleep(Duration::from_millis(250)).await;
    });
    lines.send("a line").await.unwrap();
}

/// Ten tasks are parked on a lock; the one that holds it sleeps.
async fn waits_for_a_sleeper() {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.clone().lock_owned().await;
    for _ in 0..10 {
        let lock = lock.clone();
        tokio::spawn(async move { drop(lock.lock().await) });
    }
    tokio::spawn(async move {
        sleep(Duration::from_millis(400)).await;
        drop(held);
    });
}

/// A rolling group: whenever one task ends, it starts its successor, five generations long.
async fn hands_over_to_the_next() {
    tokio::spawn(async {
        for _ in 0..5 {
            let mut generation = JoinSet::new();
            for step in 0..5 {
                generation.spawn(sleep(Duration::from_millis(step * 10)));
            }
            generation.join_all().await;
        }
    });
}

/// The waker is a thread the checker knows nothing of.
async fn woken_by_a_thread_after_30_ms() {
    let (done, wait) = oneshot::channel();
    tokio::spawn(async move { wait.await.unwrap() });
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        done.send(()).unwrap();
    });
}

async fn many_woken_by_a_thread() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..200).map(|_| oneshot::channel::<()>()).unzip();
    for wait in receivers {
        tokio::spawn(wait);
    }
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        drop(senders);
    });
}

async fn thread_sends_for_50_ms() {
    let (lines, mut inbox) = mpsc::channel(2);
    tokio::spawn(async move { while inbox.recv().await.is_some() {} });
    thread::spawn(move || {
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(5));
            lines.blocking_send("a line").unwrap();
        }
    });
}
