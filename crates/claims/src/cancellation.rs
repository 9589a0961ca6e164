//! Claims about cancellation: what ends with its owner, and what is
//! only let go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{Router, routing::get};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::{JoinSet, spawn_blocking, yield_now},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::claim::{Claim, alive, paused, settle, word};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "future-dropped",
        "a future that is dropped is cancelled",
        || paused(future_dropped()),
    ),
    Claim::steady(
        "handle-dropped",
        "dropping a JoinHandle detaches the task, which runs on",
        || paused(handle_dropped()),
    ),
    Claim::steady(
        "select-futures",
        "select! drops, and so cancels, the future that loses",
        || paused(select_futures()),
    ),
    Claim::steady(
        "select-handles",
        "select! over handles by value detaches the task that loses",
        || paused(select_handles()),
    ),
    Claim::steady(
        "timeout-handle",
        "timeout around a handle gives up waiting; the task runs on",
        || paused(timeout_handle()),
    ),
    Claim::steady(
        "timeout-abort-on-drop",
        "an AbortOnDropHandle under the same timeout takes the task along",
        || paused(timeout_abort_on_drop()),
    ),
    Claim::steady(
        "abort-started-blocking",
        "abort cannot stop a spawn_blocking closure that has started",
        || paused(abort_started_blocking()),
    ),
    Claim::steady(
        "abort-queued-blocking",
        "abort stops a spawn_blocking closure that has not started",
        abort_queued_blocking,
    ),
    Claim::steady(
        "join-all-first-error",
        "try_join_all over handles returns at the first error and detaches the rest",
        || paused(join_all_first_error()),
    ),
    Claim::steady(
        "join-all-many",
        "where there may be more than 30 futures, try_join_all takes results in order, and an error waits behind a future that waits",
        || paused(join_all_many()),
    ),
    Claim::steady(
        "join-set-first-error",
        "a JoinSet that is dropped at the first error aborts the rest",
        || paused(join_set_first_error()),
    ),
    Claim::steady(
        "handler-hung-up",
        "a hang-up drops the handler's future, and not the task it spawned",
        || paused(handler_hung_up()),
    ),
];

/// Notes that it was dropped: by its owner's end or by cancellation.
struct Noted(Arc<AtomicBool>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn noted() -> (Noted, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    (Noted(flag.clone()), flag)
}

// ANCHOR: future-dropped
/// A future waits; its owner stops polling it and drops it.
async fn future_dropped() -> anyhow::Result<Value> {
    let (guard, cleaned_up) = noted();
    let work = async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    };
    // The future is polled once, and dropped when time is up.
    let _ = timeout(Duration::from_secs(1), work).await;
    Ok(json!({
        "cleaned_up": cleaned_up.load(SeqCst),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: future-dropped

// ANCHOR: handle-dropped
/// The same work in a task; its owner drops the handle.
async fn handle_dropped() -> anyhow::Result<Value> {
    let (guard, cleaned_up) = noted();
    let handle = tokio::spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    drop(handle);
    settle().await;
    Ok(json!({
        "cleaned_up": cleaned_up.load(SeqCst),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: handle-dropped

// ANCHOR: select-futures
/// One future wins; the other waits for ever.
async fn select_futures() -> anyhow::Result<Value> {
    let (guard, cleaned_up) = noted();
    let loser = async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = loser => {}
        () = yield_now() => {}
    }
    Ok(json!({
        "cleaned_up": cleaned_up.load(SeqCst),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: select-futures

// ANCHOR: select-handles
/// One task wins; the handle of the other is dropped.
async fn select_handles() -> anyhow::Result<Value> {
    let (guard, cleaned_up) = noted();
    let winner = tokio::spawn(yield_now());
    let loser = tokio::spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    tokio::select! {
        _ = winner => {}
        _ = loser => {}
    }
    settle().await;
    Ok(json!({
        "cleaned_up": cleaned_up.load(SeqCst),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: select-handles

// ANCHOR: timeout-handle
/// Ten callers give up on their tasks after a second.
async fn timeout_handle() -> anyhow::Result<Value> {
    let mut gave_up = 0;
    for _ in 0..10 {
        let task = tokio::spawn(std::future::pending::<()>());
        if timeout(Duration::from_secs(1), task).await.is_err() {
            gave_up += 1;
        }
    }
    settle().await;
    Ok(json!({ "gave_up": gave_up, "tasks_left": alive() }))
}
// ANCHOR_END: timeout-handle

// ANCHOR: timeout-abort-on-drop
/// The same callers, with a handle that aborts when dropped.
async fn timeout_abort_on_drop() -> anyhow::Result<Value> {
    let mut gave_up = 0;
    for _ in 0..10 {
        let task = tokio::spawn(std::future::pending::<()>());
        let task = AbortOnDropHandle::new(task);
        if timeout(Duration::from_secs(1), task).await.is_err() {
            gave_up += 1;
        }
    }
    settle().await;
    Ok(json!({ "gave_up": gave_up, "tasks_left": alive() }))
}
// ANCHOR_END: timeout-abort-on-drop

// ANCHOR: abort-started-blocking
/// A closure that is under way is aborted, and works on.
async fn abort_started_blocking() -> anyhow::Result<Value> {
    let (started, is_started) = tokio::sync::oneshot::channel();
    let (finish, told) = std::sync::mpsc::channel::<()>();
    let closure = spawn_blocking(move || {
        let _ = started.send(());
        told.recv().is_ok()
    });
    is_started.await?;
    closure.abort();
    let finished = closure.is_finished();
    finish.send(())?; // Only this ends it.
    let completed = closure.await?;
    Ok(json!({
        "finished_after_abort": finished,
        "completed": completed,
    }))
}
// ANCHOR_END: abort-started-blocking

// ANCHOR: abort-queued-blocking
/// One blocking thread, which is busy; the next closure is aborted
/// while it waits for its turn.
fn abort_queued_blocking() -> anyhow::Result<Value> {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()?;
    let (finish, told) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let busy = spawn_blocking(move || told.recv());
        let queued = spawn_blocking(|| ());
        queued.abort();
        finish.send(())?;
        busy.await??;
        let end = queued.await;
        Ok(json!({
            "cancelled": end.is_err_and(|e| e.is_cancelled()),
        }))
    })
}
// ANCHOR_END: abort-queued-blocking

// ANCHOR: join-all-first-error
/// Ten tasks; the first fails, and the others wait.
async fn join_all_first_error() -> anyhow::Result<Value> {
    let handles = (0..10).map(|i| tokio::spawn(one_of_ten(i)));
    let joined = handles.map(async |handle| handle.await?);
    let result = futures_util::future::try_join_all(joined).await;
    settle().await;
    Ok(json!({
        "returned": word(&result),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: join-all-first-error

// ANCHOR: join-all-many
/// 30 and 31 futures; the last fails at once, the others wait.
async fn join_all_many() -> anyhow::Result<Value> {
    let error_seen = async |many: u32| {
        let steps = (0..many).rev().map(one_of_ten);
        let all = futures_util::future::try_join_all(steps);
        timeout(Duration::from_secs(3600), all).await.is_ok()
    };
    Ok(json!({
        "error_seen_of_30": error_seen(30).await,
        "error_seen_of_31": error_seen(31).await,
    }))
}
// ANCHOR_END: join-all-many

// ANCHOR: join-set-first-error
/// The same ten tasks, owned by a set.
async fn join_set_first_error() -> anyhow::Result<Value> {
    let mut set = JoinSet::new();
    for i in 0..10 {
        set.spawn(one_of_ten(i));
    }
    let first = set.join_next().await.expect("ten tasks")?;
    drop(set);
    settle().await;
    Ok(json!({
        "returned": word(&first),
        "tasks_left": alive(),
    }))
}
// ANCHOR_END: join-set-first-error

/// The first fails at once; the others wait for what never comes.
async fn one_of_ten(i: u32) -> anyhow::Result<()> {
    anyhow::ensure!(i > 0, "the first one fails");
    std::future::pending().await
}

// ANCHOR: handler-hung-up
/// A handler of axum, on hyper, waits for a task that it spawned. Its
/// client closes the connection.
async fn handler_hung_up() -> anyhow::Result<Value> {
    // The handler sends; this program receives, once.
    let (started, mut starts) = mpsc::channel(1);
    let handler = async move || {
        let work = tokio::spawn(std::future::pending::<()>());
        // Nothing is sent here: the handler's end drops it.
        let (_in_handler, handler_end) = oneshot::channel::<()>();
        let _ =
            started.send((handler_end, work.abort_handle())).await;
        let _ = work.await;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client =
        TcpStream::connect(listener.local_addr()?).await?;
    let app = Router::new().route("/", get(handler));
    tokio::spawn(axum::serve(listener, app).into_future());
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    let (handler_end, work) =
        starts.recv().await.context("no request came")?;
    drop(client);
    let dropped = handler_end.await.is_err();
    settle().await;
    Ok(json!({
        "handler_dropped": dropped,
        "tasks_left": usize::from(!work.is_finished()),
    }))
}
// ANCHOR_END: handler-hung-up
