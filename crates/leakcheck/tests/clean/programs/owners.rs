//! Tasks with an owner: something that joins them or ends them.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::oneshot,
    task::{JoinSet, yield_now},
    time::timeout,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, JoinMap, TaskTracker},
};

use super::programs;

programs! {
    EVERYWHERE: [
        handle_awaited,
        handles_joined_together,
        join_set_drained,
        join_set_dropped,
        join_set_shut_down,
        join_set_keeps_its_limit,
        join_map_drained,
        join_map_dropped,
        tracker_closed_and_waited,
        tracker_with_tokens,
        drop_guard_ends_the_workers,
        drop_guard_moved_into_the_service,
        child_tokens_follow_their_parent,
        abort_on_drop_handle_dropped,
        abort_on_drop_handle_in_a_timeout,
        abort_on_drop_handle_awaited,
        hedged_request_aborts_the_loser,
        timed_out_task_is_aborted,
        unordered_futures_drained,
        unordered_owned_handles_dropped,
        aborted_and_awaited,
        aborted_and_not_awaited,
        aborted_before_its_first_poll,
        parent_takes_its_children_along,
        panicking_task_joined,
        panicking_task_in_a_join_set,
        run_until_cancelled,
    ],
}

/// Work of a few polls.
async fn answer(number: usize) -> usize {
    yield_now().await;
    number * 2
}

async fn handle_awaited() {
    let handle = tokio::spawn(answer(21));
    assert_eq!(handle.await.unwrap(), 42);
}

async fn handles_joined_together() {
    let (one, two, three) = tokio::join!(tokio::spawn(answer(1)), tokio::spawn(answer(2)), tokio::spawn(answer(3)));
    assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 12);
}

async fn join_set_drained() {
    let mut set: JoinSet<_> = (0..20).map(answer).collect();
    let mut sum = 0;
    while let Some(result) = set.join_next().await {
        sum += result.unwrap();
    }
    assert_eq!(sum, 380);
}

/// An early return: the set ends what is still running.
async fn join_set_dropped() {
    let mut set = JoinSet::new();
    set.spawn(answer(1));
    for _ in 0..10 {
        set.spawn(pending());
    }
    assert_eq!(set.join_next().await.unwrap().unwrap(), 2);
}

async fn join_set_shut_down() {
    let mut set = JoinSet::new();
    for _ in 0..10 {
        set.spawn(pending::<()>());
    }
    set.shutdown().await;
    assert!(set.is_empty());
}

/// Never more than four at a time, and nothing left at the end.
async fn join_set_keeps_its_limit() {
    let mut set = JoinSet::new();
    for number in 0..40 {
        if set.len() == 4 {
            set.join_next().await.unwrap().unwrap();
        }
        set.spawn(answer(number));
    }
    assert_eq!(set.join_all().await.len(), 4);
}

async fn join_map_drained() {
    let mut jobs = JoinMap::new();
    for number in 0..10 {
        jobs.spawn(number, answer(number));
    }
    while let Some((number, result)) = jobs.join_next().await {
        assert_eq!(result.unwrap(), number * 2);
    }
}

async fn join_map_dropped() {
    let mut sessions = JoinMap::new();
    for name in ["ada", "grace", "ada"] {
        sessions.spawn(name, pending::<()>());
    }
    assert_eq!(sessions.len(), 2, "the second session of a name replaces its first");
}

async fn tracker_closed_and_waited() {
    let tracker = TaskTracker::new();
    for number in 0..20 {
        tracker.spawn(answer(number));
    }
    tracker.close();
    tracker.wait().await;
}

async fn tracker_with_tokens() {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..10 {
        tracker.spawn(token.clone().cancelled_owned());
    }
    token.cancel();
    tracker.close();
    tracker.wait().await;
}

/// Nobody joins the workers. The guard ends them at the end of its scope.
async fn drop_guard_ends_the_workers() {
    let token = CancellationToken::new();
    let _guard = token.clone().drop_guard();
    for _ in 0..5 {
        tokio::spawn(token.clone().cancelled_owned());
    }
    yield_now().await;
}

async fn drop_guard_moved_into_the_service() {
    struct Service {
        _stop: tokio_util::sync::DropGuard,
    }
    fn start() -> Service {
        let token = CancellationToken::new();
        tokio::spawn(token.clone().cancelled_owned());
        Service { _stop: token.drop_guard() }
    }
    let services = [start(), start(), start()];
    answer(1).await;
    drop(services);
}

async fn child_tokens_follow_their_parent() {
    let parent = CancellationToken::new();
    let mut connections = JoinSet::new();
    for _ in 0..5 {
        let connection = parent.child_token();
        let request = connection.child_token();
        connections.spawn(async move { tokio::join!(connection.cancelled(), request.cancelled()) });
    }
    parent.cancel();
    connections.join_all().await;
}

async fn abort_on_drop_handle_dropped() {
    let poller = AbortOnDropHandle::new(tokio::spawn(pending::<()>()));
    answer(1).await;
    assert!(!poller.is_finished());
}

/// The repaired `timeout(limit, handle)`: when the wait is given up, so is the task.
async fn abort_on_drop_handle_in_a_timeout() {
    let slow = AbortOnDropHandle::new(tokio::spawn(pending::<()>()));
    assert!(timeout(Duration::from_millis(5), slow).await.is_err());
}

async fn abort_on_drop_handle_awaited() {
    assert_eq!(AbortOnDropHandle::new(tokio::spawn(answer(4))).await.unwrap(), 8);
}

async fn hedged_request_aborts_the_loser() {
    let mut slow = AbortOnDropHandle::new(tokio::spawn(pending()));
    let mut fast = AbortOnDropHandle::new(tokio::spawn(answer(5)));
    let first = tokio::select! { first = &mut slow => first, first = &mut fast => first };
    assert_eq!(first.unwrap(), 10);
}

async fn timed_out_task_is_aborted() {
    let mut slow = tokio::spawn(pending::<()>());
    if timeout(Duration::from_millis(5), &mut slow).await.is_err() {
        slow.abort();
    }
}

async fn unordered_futures_drained() {
    let mut tasks: FuturesUnordered<_> = (0..20).map(|number| tokio::spawn(answer(number))).collect();
    let mut done = 0;
    while let Some(result) = tasks.next().await {
        result.unwrap();
        done += 1;
    }
    assert_eq!(done, 20);
}

/// A plain `JoinHandle` in there would be detached.
async fn unordered_owned_handles_dropped() {
    let mut tasks = FuturesUnordered::new();
    for number in 0..10 {
        tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
            match number {
                0 => 0,
                _ => pending().await,
            }
        })));
    }
    assert_eq!(tasks.next().await.unwrap().unwrap(), 0);
}

async fn aborted_and_awaited() {
    let handle = tokio::spawn(pending::<()>());
    handle.abort();
    assert!(handle.await.unwrap_err().is_cancelled());
}

/// The abort is under way when the body returns.
async fn aborted_and_not_awaited() {
    let handles: Vec<_> = (0..50).map(|_| tokio::spawn(pending::<()>())).collect();
    answer(1).await;
    handles.iter().for_each(|handle| handle.abort());
}

async fn aborted_before_its_first_poll() {
    for _ in 0..50 {
        tokio::spawn(pending::<()>()).abort();
    }
}

/// Aborting a parent detaches its children, unless they are in a set of the parent's own.
async fn parent_takes_its_children_along() {
    let (ready, started) = oneshot::channel();
    let parent = tokio::spawn(async move {
        let mut children = JoinSet::new();
        for _ in 0..5 {
            children.spawn(pending::<()>());
        }
        ready.send(()).unwrap();
        children.join_all().await
    });
    started.await.unwrap();
    parent.abort();
    assert!(parent.await.unwrap_err().is_cancelled());
}

async fn panicking_task_joined() {
    async fn refuse() {
        // Without the panic hook's output.
        std::panic::resume_unwind(Box::new("a bad request"));
    }
    assert!(tokio::spawn(refuse()).await.unwrap_err().is_panic());
}

async fn panicking_task_in_a_join_set() {
    let panics = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for number in 0..10 {
        set.spawn(async move {
            if number % 2 == 0 {
                // Without the panic hook's output.
                std::panic::resume_unwind(Box::new(number));
            }
        });
    }
    while let Some(result) = set.join_next().await {
        panics.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
    }
    assert_eq!(panics.load(Ordering::Relaxed), 5);
}

async fn run_until_cancelled() {
    let token = CancellationToken::new();
    let task = tokio::spawn({
        let token = token.clone();
        async move { token.run_until_cancelled(pending::<()>()).await }
    });
    token.cancel();
    assert!(task.await.unwrap().is_none());
}
