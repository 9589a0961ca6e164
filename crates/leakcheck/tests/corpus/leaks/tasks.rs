//! A task that outlives its owner: Tokio detaches what is dropped, unless something says otherwise.

use std::future::pending;
use std::mem;
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::task::{AbortOnDropHandle, JoinMap, TaskTracker};

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "tasks.rs",
        [
            leak!(drops_a_join_handle, "tokio-rs/tokio#1830", 1),
            leak!(times_out_the_wait_and_not_the_task, "cowprotocol/services#3499", 1),
            leak!(selects_over_two_handles, "mofa-org/mofa#964", 1),
            leak!(drops_unordered_handles, "paritytech/jsonrpsee#1204", 3),
            leak!(drops_a_tracker, "tokio-rs/axum#3003", 2),
            leak!(waits_for_a_tracker_nobody_closed, "hyperium/hyper#2787", 1),
            leak!(waits_for_its_own_tracker, "GoKer syncthing_5795", 1),
            leak!(aborts_a_parent_whose_children_stay, "duroxide#45", 2),
            leak!(a_leaked_task_owns_a_join_set, "neondatabase/neon#4672", 3),
            leak!(detaches_a_join_set, "denoland/deno#35136", 2),
            leak!(forgets_a_join_set, "class: mem::forget", 2),
            leak!(keeps_a_join_map_entry_per_connection, "jamsocket/plane#858", 2),
            leak!(detaches_an_abort_on_drop_handle, "tokio-rs/tokio#7400", 1),
            leak!(aborts_the_wrapper_of_a_handle, "vercel/turborepo#8854", 1),
            leak!(replaces_a_handle_without_aborting_it, "bug-ops/zeph#2737", 2),
            leak!(an_early_return_leaves_the_helper, "amqp-rs/lapin#380", 1),
            leak!(pushes_every_handle_into_a_list, "programatik29/axum-server#13", 3),
            leak!(aborts_only_the_first_of_a_set, "vectordotdev/vector#12472", 2),
        ]
    )
}

async fn drops_a_join_handle() {
    let driver = tokio::spawn(pending::<()>()); // LEAK
    drop(driver);
}

async fn times_out_the_wait_and_not_the_task() {
    let solver = tokio::spawn(pending::<()>()); // LEAK
    tokio::time::timeout(Duration::from_millis(2), solver).await.expect_err("the solver never ends");
}

async fn selects_over_two_handles() {
    let (hang_up, hung_up) = oneshot::channel::<()>();
    let reader = tokio::spawn(hung_up);
    let writer = tokio::spawn(pending::<()>()); // LEAK
    drop(hang_up);
    tokio::select! {
        _ = reader => {}
        _ = writer => unreachable!("the writer never ends"),
    }
}

async fn drops_unordered_handles() {
    let mut calls = FuturesUnordered::new();
    calls.push(tokio::spawn(async {}));
    for _ in 0..3 {
        calls.push(tokio::spawn(pending())); // LEAK x3
    }
    calls.next().await.expect("four calls").expect("the first call ends");
}

async fn drops_a_tracker() {
    let connections = TaskTracker::new();
    for _ in 0..2 {
        connections.spawn(pending::<()>()); // LEAK x2
    }
    connections.close();
}

async fn waits_for_a_tracker_nobody_closed() {
    let connections = TaskTracker::new();
    connections.spawn(async {}).await.expect("the connection ends");
    tokio::spawn(async move { connections.wait().await }); // LEAK
}

async fn waits_for_its_own_tracker() {
    let connections = TaskTracker::new();
    let tracked = connections.clone();
    let shutdown = async move {
        tracked.close();
        tracked.wait().await;
    };
    connections.spawn(shutdown); // LEAK
}

async fn aborts_a_parent_whose_children_stay() {
    let (ready, started) = oneshot::channel();
    let parent = tokio::spawn(async {
        for _ in 0..2 {
            tokio::spawn(pending::<()>()); // LEAK x2
        }
        _ = ready.send(());
        pending::<()>().await;
    });
    started.await.expect("the parent starts");
    parent.abort();
    parent.await.expect_err("it was aborted");
}

async fn a_leaked_task_owns_a_join_set() {
    let mut connections = JoinSet::new();
    for _ in 0..2 {
        connections.spawn(pending::<()>()); // LEAK x2
    }
    let accept = async move {
        while let Some(ended) = connections.join_next().await {
            ended.expect("a connection does not panic");
        }
    };
    tokio::spawn(accept); // LEAK
}

async fn detaches_a_join_set() {
    let mut workers = JoinSet::new();
    for _ in 0..2 {
        workers.spawn(pending::<()>()); // LEAK x2
    }
    workers.detach_all();
}

async fn forgets_a_join_set() {
    let mut results = JoinSet::new();
    for _ in 0..2 {
        results.spawn(pending::<()>()); // LEAK x2
    }
    mem::forget(results);
}

async fn keeps_a_join_map_entry_per_connection() {
    let mut connections = JoinMap::new();
    for peer in ["10.0.0.1", "10.0.0.2"] {
        connections.spawn(peer, pending::<()>()); // LEAK x2
    }
    keep(connections);
}

async fn detaches_an_abort_on_drop_handle() {
    let worker = AbortOnDropHandle::new(tokio::spawn(pending::<()>())); // LEAK
    drop(worker.detach());
}

/// The wrapper is a future in this frame. Aborting it drops the handle, and that detaches the task.
async fn aborts_the_wrapper_of_a_handle() {
    let build = tokio::spawn(pending::<()>()); // LEAK
    let (stop, registration) = AbortHandle::new_pair();
    let run = Abortable::new(build, registration);
    stop.abort();
    run.await.expect_err("it was aborted");
}

async fn replaces_a_handle_without_aborting_it() {
    let mut current = None;
    for _ in 0..2 {
        drop(current.replace(tokio::spawn(pending::<()>()))); // LEAK x2
    }
    drop(current);
}

async fn an_early_return_leaves_the_helper() {
    async fn connection() -> Result<(), &'static str> {
        let heartbeat = tokio::spawn(pending::<()>()); // LEAK
        Err("connection reset")?;
        heartbeat.abort();
        Ok(())
    }
    connection().await.expect_err("the connection was reset");
}

async fn pushes_every_handle_into_a_list() {
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(tokio::spawn(pending::<()>())); // LEAK x3
    }
    keep(connections);
}

async fn aborts_only_the_first_of_a_set() {
    let mut reflectors = Vec::new();
    for _ in 0..3 {
        reflectors.push(tokio::spawn(pending::<()>())); // LEAK x2
    }
    reflectors[0].abort();
}
