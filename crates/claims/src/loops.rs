//! Claims about loops around `select!`: which branch ends them, and
//! which only look as if they did.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::claim::{Claim, alive, counted, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "select-pattern",
        "a branch whose pattern fails is off for this wait, and events on the other branch do not end the loop",
        || paused(select_pattern()),
    ),
    Claim::steady(
        "select-else",
        "else runs when every branch is off, and not when one is",
        || paused(select_else()),
    ),
    Claim::steady(
        "select-no-else",
        "without an else, select! panics when every branch is off",
        || paused(select_no_else()),
    ),
    Claim::steady(
        "select-spins",
        "a branch that matches the end and goes on is ready at once, every time",
        || paused(select_spins()),
    ),
    Claim::steady(
        "select-token-first",
        "a biased select! that looks at the token first leaves the queue as it is",
        || paused(select_biased(true)),
    ),
    Claim::steady(
        "select-token-last",
        "a biased select! that looks at the queue first works before it stops",
        || paused(select_biased(false)),
    ),
    Claim::steady(
        "absent-receiver",
        "an absent receiver is a branch that waits for ever: Go's nil channel",
        || paused(absent_receiver()),
    ),
    Claim::steady(
        "go-select",
        "a reader that also waits for the end of its stream ends with it; the entry that owns its receiver stays",
        || paused(go_select()),
    ),
];

// ANCHOR: select-pattern
/// Ten loops with two branches. One channel ends; on the other,
/// something happens ten times.
async fn select_pattern() -> anyhow::Result<Value> {
    let (other, _) = watch::channel(0);
    for _ in 0..10 {
        let (sender, mut items) = mpsc::channel::<u8>(1);
        let mut other = other.subscribe();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(_) = items.recv() => {}
                    Ok(()) = other.changed() => {}
                    else => return,
                }
            }
        });
        drop(sender);
    }
    settle().await;
    let left = alive();
    for n in 1..=10 {
        other.send(n)?;
        settle().await;
    }
    let after_events = alive();
    drop(other);
    settle().await;
    Ok(json!({
        "tasks_left": left,
        "tasks_left_after_events": after_events,
        "tasks_left_after_both": alive(),
    }))
}
// ANCHOR_END: select-pattern

// ANCHOR: select-else
/// A pattern that fails beside a wait that goes on, and alone.
async fn select_else() -> anyhow::Result<Value> {
    let limit = Duration::from_secs(3600);
    let beside_a_wait = async {
        tokio::select! {
            Some(()) = async { None } => {}
            () = pending() => {}
            else => {}
        }
    };
    let alone = async {
        tokio::select! {
            Some(()) = async { None } => {}
            else => {}
        }
    };
    let beside = tokio::time::timeout(limit, beside_a_wait).await;
    let alone = tokio::time::timeout(limit, alone).await;
    Ok(json!({
        "ran_beside_a_wait": beside.is_ok(),
        "ran_alone": alone.is_ok(),
    }))
}
// ANCHOR_END: select-else

// ANCHOR: select-no-else
/// The only branch is off.
async fn select_no_else() -> anyhow::Result<Value> {
    let task = tokio::spawn(async {
        tokio::select! { Some(()) = async { None } => {} }
    });
    let error = task.await.expect_err("it panicked");
    Ok(json!({ "is_panic": error.is_panic() }))
}
// ANCHOR_END: select-no-else

// ANCHOR: select-spins
/// A closed channel, a branch that takes `None` too, and a loop that
/// a limit ends.
async fn select_spins() -> anyhow::Result<Value> {
    let (sender, mut items) = mpsc::channel::<u8>(1);
    drop(sender);
    let (began, mut turns) = (Instant::now(), 0);
    while turns < 100_000 {
        tokio::select! {
            _item = items.recv() => turns += 1,
            () = pending() => {}
        }
    }
    Ok(json!({
        "turns": turns,
        "seconds_waited": began.elapsed().as_secs(),
    }))
}
// ANCHOR_END: select-spins

// ANCHOR: select-token-first
// ANCHOR: select-token-last
/// Eight items are in the queue when the token is cancelled.
async fn select_biased(first: bool) -> anyhow::Result<Value> {
    let (sender, mut items) = mpsc::channel(8);
    for n in 0..8 {
        sender.send(n).await?;
    }
    let (stop, mut done) = (CancellationToken::new(), 0);
    stop.cancel();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled(), if first => break,
            Some(_) = items.recv() => done += 1,
            () = stop.cancelled() => break,
        }
    }
    Ok(json!({ "handled": done, "not_handled": items.len() }))
}
// ANCHOR_END: select-token-last
// ANCHOR_END: select-token-first

// ANCHOR: absent-receiver
/// A loop with two inputs. The second ends at once, and is absent
/// from then on; on the first, something happens ten times.
async fn absent_receiver() -> anyhow::Result<Value> {
    let (tx, mut items) = mpsc::channel(1);
    let (more_tx, more) = mpsc::channel(1);
    let (polls, mut more) = (Arc::default(), Some(more));
    let task = tokio::spawn(counted(&polls, async move {
        loop {
            tokio::select! {
                item = items.recv() => {
                    let Some(()) = item else { return };
                }
                // Kept, a closed receiver is ready every time.
                item = next(&mut more) => {
                    let Some(()) = item else { more = None; continue };
                }
            }
        }
    }));
    settle().await;
    drop(more_tx);
    settle().await;
    for _ in 0..10 {
        tx.send(()).await?;
        settle().await;
    }
    let polls_parked = polls.load(SeqCst);
    drop(tx);
    settle().await;
    Ok(json!({
        "polls": polls_parked,
        "ended": task.is_finished(),
    }))
}

/// An item of a receiver that may be absent. The other form is a
/// branch with a condition, `if more.is_some()`.
async fn next(more: &mut Option<mpsc::Receiver<()>>) -> Option<()> {
    match more {
        Some(more) => more.recv().await,
        None => pending().await,
    }
}
// ANCHOR_END: absent-receiver

// ANCHOR: go-select
/// Twenty streams end with an error after one request of three.
/// Their entries stay in a registry, and own the receivers.
async fn go_select() -> anyhow::Result<Value> {
    let mut registry = Vec::new();
    for _ in 0..20 {
        let (tx, rx) = mpsc::channel(1);
        let rx = Arc::new(Mutex::new(rx));
        registry.push(rx.clone());
        let stream = CancellationToken::new();
        let end = stream.clone().cancelled_owned();
        tokio::spawn(read(tx, end));
        let _at_the_end_of_the_stream = stream.drop_guard();
        rx.lock().await.recv().await;
    }
    settle().await;
    let (left, entries) = (alive(), registry.len());
    for _ in 0..20 {
        let (tx, rx) = mpsc::channel(1);
        let rx = Arc::new(Mutex::new(rx));
        registry.push(rx.clone());
        let sender = tx.clone();
        // The receiver's end is not the stream's: it is kept.
        let end = async move { sender.closed().await };
        tokio::spawn(read(tx, end));
        rx.lock().await.recv().await;
    }
    settle().await;
    Ok(json!({
        "readers_left": left,
        "entries_left": entries,
        "readers_left_watching_closed": alive() - left,
    }))
}

/// Hands on three requests, until `end`.
async fn read(to: mpsc::Sender<u8>, end: impl Future<Output = ()>) {
    let send_all = async {
        for request in 0..3 {
            let _ = to.send(request).await;
        }
    };
    tokio::select! {
        () = send_all => {}
        () = end => {}
    }
}
// ANCHOR_END: go-select
