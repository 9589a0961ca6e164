//! A test that never returns itself: a check at its end would never run.

use std::future::pending;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "body.rs",
        [
            leak!(awaits_a_task_that_never_ends, "hyperium/hyper#2787", 1).never_returns(),
            leak!(drains_a_set_that_never_ends, "hyperium/hyper#2787", 2).never_returns(),
            leak!(waits_for_an_open_tracker, "tokio-rs/axum#2673", 1).never_returns(),
            leak!(needs_a_lock_that_a_task_keeps, "class: channel and lock", 1).never_returns(),
            leak!(blocks_in_a_std_channel, "tokio-rs/tokio#931", 1).never_returns(),
            leak!(retries_until_a_task_answers, "nats-io/nats.rs#758", 1).never_returns(),
            leak!(selects_until_somebody_stops_it, "class: missing exit arm", 1).never_returns(),
        ]
    )
}

async fn awaits_a_task_that_never_ends() {
    let server = tokio::spawn(pending::<()>()); // LEAK
    server.await.expect("the server does not panic");
}

async fn drains_a_set_that_never_ends() {
    let mut connections = JoinSet::new();
    connections.spawn(async {});
    for _ in 0..2 {
        connections.spawn(pending::<()>()); // LEAK x2
    }
    while connections.join_next().await.is_some() {}
}

async fn waits_for_an_open_tracker() {
    let tracker = TaskTracker::new();
    tokio::spawn(pending::<()>()); // LEAK
    tracker.spawn(async {});
    tracker.wait().await;
}

async fn needs_a_lock_that_a_task_keeps() {
    let state = Arc::new(Mutex::new(()));
    let guard = Arc::clone(&state).lock_owned().await;
    let holder = async move {
        pending::<()>().await;
        drop(guard);
    };
    tokio::spawn(holder); // LEAK
    drop(state.lock().await);
}

/// On one thread, the task is never even polled.
async fn blocks_in_a_std_channel() {
    let (held, silent) = mpsc::channel::<()>();
    tokio::spawn(pending::<()>()); // LEAK parked or starved
    keep(held);
    silent.recv().expect_err("the registry lives as long as the process");
}

/// The limit only spares the processor: it lies far behind the verdict.
async fn retries_until_a_task_answers() {
    let (start, answer) = (Instant::now(), tokio::spawn(pending::<()>())); // LEAK
    while !answer.is_finished() && start.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn selects_until_somebody_stops_it() {
    let stop = Arc::new(Notify::new());
    let listener = Arc::clone(&stop);
    tokio::spawn(async move { listener.notified().await }); // LEAK
    tokio::select! {
        () = pending() => {}
        () = stop.notified() => {}
    }
}
