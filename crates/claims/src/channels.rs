//! Claims about channels: when a send ends, when a receive ends, and
//! what is lost.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use crate::claim::{Claim, alive, paused, settle, word};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "send-receiver-dropped",
        "dropping the receiver makes a parked send return an error",
        || paused(send_receiver_dropped()),
    ),
    Claim::steady(
        "send-receiver-alive",
        "a receiver that lives and is not polled parks senders",
        || paused(send_receiver_alive()),
    ),
    Claim::steady(
        "recv-senders-dropped",
        "recv returns None once every sender is gone",
        || paused(recv_senders_dropped()),
    ),
    Claim::steady(
        "recv-clone-forgotten",
        "one forgotten sender clone keeps recv waiting",
        || paused(recv_clone_forgotten()),
    ),
    Claim::steady(
        "recv-after-close",
        "recv returns None after rx.close() too, with a sender alive",
        || paused(recv_after_close()),
    ),
    Claim::steady(
        "quiet-upstream",
        "a producer on a quiet upstream never learns that its consumer left",
        || paused(quiet_upstream()),
    ),
    Claim::steady(
        "quiet-upstream-watched",
        "it learns when it also waits for tx.closed()",
        || paused(quiet_upstream_watched()),
    ),
    Claim::steady(
        "close-twice",
        "closing a receiver twice is harmless, and keeps what is buffered",
        || paused(close_twice()),
    ),
    Claim::steady(
        "abort-before-drain",
        "aborting the consumer loses the item in hand and the buffer",
        || paused(abort_before_drain()),
    ),
    Claim::steady(
        "drain-before-end",
        "closing, then draining, then joining loses nothing",
        || paused(drain_before_end()),
    ),
    Claim::steady(
        "last-word-for-each",
        "a last message for each reader ends them all, and loses what comes after",
        || paused(last_word_for_each()),
    ),
];

// ANCHOR: send-receiver-dropped
/// Ten tasks send; the receiver is dropped.
async fn send_receiver_dropped() -> anyhow::Result<Value> {
    let (tx, rx) = mpsc::channel(1);
    tx.try_send(0)?; // The buffer is full now.
    for i in 0..9 {
        let tx = tx.clone();
        tokio::spawn(async move { tx.send(i).await });
    }
    let last = tokio::spawn(async move { tx.send(9).await });
    settle().await;
    let parked = alive();
    drop(rx);
    let returned = word(&last.await?);
    settle().await;
    Ok(json!({
        "parked": parked,
        "returned": returned,
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: send-receiver-dropped

// ANCHOR: send-receiver-alive
/// Ten tasks send; the receiver lives on, and nobody reads.
async fn send_receiver_alive() -> anyhow::Result<Value> {
    let (tx, unread) = mpsc::channel(1);
    for i in 0..10 {
        let tx = tx.clone();
        tokio::spawn(async move { tx.send(i).await });
    }
    settle().await;
    let left = alive();
    Ok(json!({ "buffered": unread.len(), "tasks_left": left }))
}
// ANCHOR_END: send-receiver-alive

// ANCHOR: recv-senders-dropped
/// Ten tasks send and end; the original sender is dropped too.
async fn recv_senders_dropped() -> anyhow::Result<Value> {
    let (tx, mut rx) = mpsc::channel(1);
    for i in 0..10 {
        let tx = tx.clone();
        tokio::spawn(async move { tx.send(i).await });
    }
    drop(tx);
    let reader = tokio::spawn(async move {
        while rx.recv().await.is_some() {}
        rx.recv().await
    });
    let last = if reader.await?.is_none() { "None" } else { "Some" };
    Ok(json!({ "last_recv": last, "tasks_left": alive() }))
}
// ANCHOR_END: recv-senders-dropped

// ANCHOR: recv-clone-forgotten
/// The same; but one clone of the sender stays in a registry.
async fn recv_clone_forgotten() -> anyhow::Result<Value> {
    let (tx, mut rx) = mpsc::channel(1);
    let registry = vec![tx.clone()];
    for i in 0..10 {
        let tx = tx.clone();
        tokio::spawn(async move { tx.send(i).await });
    }
    drop(tx);
    let reader =
        tokio::spawn(
            async move { while rx.recv().await.is_some() {} },
        );
    settle().await;
    let (ended, left) = (reader.is_finished(), alive());
    drop(registry);
    reader.await?; // It ends only now.
    Ok(json!({
        "reader_ended": ended,
        "tasks_left": left,
        "tasks_left_after_drop": alive(),
    }))
}
// ANCHOR_END: recv-clone-forgotten

// ANCHOR: recv-after-close
/// The receiver closes the channel; the sender is not dropped.
async fn recv_after_close() -> anyhow::Result<Value> {
    let (alive, mut rx) = mpsc::channel::<u8>(1);
    rx.close();
    let last = rx.recv().await;
    let last = if last.is_none() { "None" } else { "Some" };
    let send = word(&alive.send(1).await);
    Ok(json!({ "last_recv": last, "send_returned": send }))
}
// ANCHOR_END: recv-after-close

// ANCHOR: quiet-upstream
/// Ten producers forward from an upstream that says nothing. Their
/// consumers leave.
async fn quiet_upstream() -> anyhow::Result<Value> {
    let (upstream, _) = tokio::sync::broadcast::channel::<u8>(8);
    for _ in 0..10 {
        let mut events = upstream.subscribe();
        let (tx, consumer) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                if tx.send(event).await.is_err() {
                    break; // Never reached: there is no event.
                }
            }
        });
        drop(consumer);
    }
    settle().await;
    let left = alive();
    upstream.send(1)?;
    settle().await;
    Ok(json!({
        "tasks_left": left,
        "tasks_left_after_event": alive(),
    }))
}
// ANCHOR_END: quiet-upstream

// ANCHOR: quiet-upstream-watched
/// The same producers, which also wait for the consumer's end.
async fn quiet_upstream_watched() -> anyhow::Result<Value> {
    let (upstream, _) = tokio::sync::broadcast::channel::<u8>(8);
    for _ in 0..10 {
        let mut events = upstream.subscribe();
        let (tx, consumer) = mpsc::channel(8);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Ok(event) = events.recv() => {
                        tx.send(event).await?;
                    }
                    () = tx.closed() => return anyhow::Ok(()),
                }
            }
        });
        drop(consumer);
    }
    settle().await;
    Ok(json!({ "tasks_left": alive() }))
}
// ANCHOR_END: quiet-upstream-watched

// ANCHOR: close-twice
/// Eight items are buffered; the receiver is closed twice.
async fn close_twice() -> anyhow::Result<Value> {
    let (tx, mut rx) = mpsc::channel(8);
    for i in 0..8 {
        tx.try_send(i)?;
    }
    rx.close();
    rx.close();
    let refused = tx.send(8).await.is_err();
    let mut read = 0;
    while rx.recv().await.is_some() {
        read += 1;
    }
    Ok(json!({ "send_refused": refused, "items_read": read }))
}
// ANCHOR_END: close-twice

// ANCHOR: abort-before-drain
/// Eight items are sent; the consumer is aborted after three.
async fn abort_before_drain() -> anyhow::Result<Value> {
    let (tx, mut rx) = mpsc::channel(8);
    let (done, mut read) = mpsc::channel(8);
    let consumer = tokio::spawn(async move {
        while let Some(item) = rx.recv().await {
            tokio::time::sleep(WORK).await;
            let _ = done.send(item).await;
        }
    });
    for i in 0..8 {
        tx.send(i).await?;
    }
    tokio::time::sleep(WORK * 7 / 2).await;
    consumer.abort();
    let _ = consumer.await;
    let mut arrived = 0;
    while read.recv().await.is_some() {
        arrived += 1;
    }
    Ok(json!({ "sent": 8, "arrived": arrived, "lost": 8 - arrived }))
}
// ANCHOR_END: abort-before-drain

// ANCHOR: drain-before-end
/// The same; the sender is dropped, and the consumer waited for.
async fn drain_before_end() -> anyhow::Result<Value> {
    let (tx, mut rx) = mpsc::channel(8);
    let consumer = tokio::spawn(async move {
        let mut arrived = 0;
        while let Some(_item) = rx.recv().await {
            tokio::time::sleep(WORK).await;
            arrived += 1;
        }
        arrived
    });
    for i in 0..8 {
        tx.send(i).await?;
    }
    drop(tx);
    let arrived = consumer.await?;
    Ok(json!({ "sent": 8, "arrived": arrived, "lost": 8 - arrived }))
}
// ANCHOR_END: drain-before-end

/// What one item takes, in paused time.
const WORK: std::time::Duration = std::time::Duration::from_secs(1);

// ANCHOR: last-word-for-each
/// Four readers share a channel, and `None` ends the one that gets
/// it. One row comes before the readers have ended, one after.
async fn last_word_for_each() -> anyhow::Result<Value> {
    let (tx, rx) = mpsc::channel::<Option<u8>>(8);
    let rx = Arc::new(Mutex::new(rx));
    let (stored, mut store) = mpsc::channel(2);
    for _ in 0..4 {
        let (rx, stored) = (rx.clone(), stored.clone());
        tokio::spawn(async move {
            while let Some(Some(row)) = rx.lock().await.recv().await {
                let _ = stored.send(row).await;
            }
        });
    }
    drop(rx);
    for _ in 0..4 {
        tx.send(None).await?;
    }
    let early = word(&tx.send(Some(1)).await);
    settle().await;
    let late = word(&tx.send(Some(2)).await);
    Ok(json!({
        "row_before_the_end": early,
        "row_after_the_end": late,
        "rows_stored": usize::from(store.try_recv().is_ok()),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: last-word-for-each
