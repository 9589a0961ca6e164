//! A stop that does not arrive: never sent, sent too early, or sent to somebody who does not look.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::{Notify, SetOnce, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "tokens.rs",
        [
            leak!(a_token_is_never_cancelled, "breez/breez-sdk-liquid#985", 1),
            leak!(a_token_is_dropped, "mongodb/mongo-rust-driver#242", 1),
            leak!(only_the_child_token_is_cancelled, "class: channel and context", 1),
            leak!(the_task_owns_the_guard_that_would_stop_it, "redis-rs/redis-rs#1681", 1),
            leak!(a_drop_guard_is_disarmed, "class: channel and context", 1),
            leak!(looks_at_the_token_only_after_an_event, "zed-industries/zed#47246", 1),
            leak!(a_closed_channel_disables_its_branch, "neondatabase/neon#5472", 1),
            leak!(an_empty_set_disables_its_branch, "neondatabase/neon#5909", 1),
            leak!(notifies_the_waiters_before_one_waits, "class: condition variable", 1),
            leak!(notifies_one_of_two_waiters, "class: condition variable", 1),
            leak!(a_stop_was_seen_before_the_wait, "class: condition variable", 1),
            leak!(a_value_is_never_set, "class: channel", 2),
        ]
    )
}

async fn a_token_is_never_cancelled() {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move { stopped.cancelled().await }); // LEAK
    keep(stop);
}

/// Dropping a token does not cancel it.
async fn a_token_is_dropped() {
    let stop = CancellationToken::new();
    tokio::spawn(stop.child_token().cancelled_owned()); // LEAK
    drop(stop);
}

async fn only_the_child_token_is_cancelled() {
    let service = CancellationToken::new();
    let request = service.child_token();
    tokio::spawn(service.cancelled_owned()); // LEAK
    request.cancel();
}

async fn the_task_owns_the_guard_that_would_stop_it() {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let connection = stop.drop_guard();
    let listener = async move {
        stopped.cancelled().await;
        drop(connection);
    };
    tokio::spawn(listener); // LEAK
}

async fn a_drop_guard_is_disarmed() {
    let guard = CancellationToken::new().drop_guard();
    let fetch = guard.disarm();
    tokio::spawn(fetch.cancelled_owned()); // LEAK
}

async fn looks_at_the_token_only_after_an_event() {
    let (files, mut events) = mpsc::channel::<u32>(4);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let watcher = async move {
        while events.recv().await.is_some() {
            if stopped.is_cancelled() {
                return;
            }
        }
    };
    tokio::spawn(watcher); // LEAK
    keep(files);
    stop.cancel();
}

/// The pattern does not match the `None` of a closed channel, so the branch is off and only the token is left.
async fn a_closed_channel_disables_its_branch() {
    let (requests, mut inbox) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let server = async move {
        loop {
            tokio::select! {
                Some(()) = inbox.recv() => {}
                () = stop.cancelled() => return,
            }
        }
    };
    tokio::spawn(server); // LEAK
    requests.send(()).await.expect("the server reads");
}

async fn an_empty_set_disables_its_branch() {
    let (accepted, mut connections) = mpsc::channel(1);
    let server = async move {
        let mut handlers = JoinSet::new();
        loop {
            tokio::select! {
                Some(()) = connections.recv() => drop(handlers.spawn(async {})),
                Some(Err(error)) = handlers.join_next() => panic!("{error}"),
                () = pending() => return,
            }
        }
    };
    tokio::spawn(server); // LEAK parked, live or timer
    accepted.send(()).await.expect("the server reads");
}

/// `notify_waiters` stores nothing for those who come later.
async fn notifies_the_waiters_before_one_waits() {
    let shutdown = Arc::new(Notify::new());
    shutdown.notify_waiters();
    tokio::spawn(async move { shutdown.notified().await }); // LEAK
}

async fn notifies_one_of_two_waiters() {
    let condition = Arc::new(Notify::new());
    for _ in 0..2 {
        let waiter = Arc::clone(&condition);
        tokio::spawn(async move { waiter.notified().await }); // LEAK
    }
    condition.notify_one();
}

/// The value was already seen when the task waits for the next one.
async fn a_stop_was_seen_before_the_wait() {
    let (stop, mut stopping) = watch::channel(false);
    let (ready, subscribed) = oneshot::channel();
    stop.send(true).expect("there is a receiver");
    let callback = async move {
        stopping.mark_unchanged();
        _ = ready.send(());
        stopping.changed().await
    };
    tokio::spawn(callback); // LEAK
    subscribed.await.expect("the callback runs");
    keep(stop);
}

async fn a_value_is_never_set() {
    let reply = Arc::new(SetOnce::<u32>::new());
    for _ in 0..2 {
        let reply = Arc::clone(&reply);
        tokio::spawn(async move { *reply.wait().await }); // LEAK x2
    }
}
