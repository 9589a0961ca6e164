//! Many tasks, deep families, and what is hard to see at the moment the body returns.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    runtime::Handle,
    sync::{Barrier, Semaphore, mpsc, oneshot},
    task::{JoinHandle, JoinSet, LocalSet, spawn_blocking, spawn_local, unconstrained, yield_now},
};

use super::programs;

programs! {
    EVERYWHERE: [
        ten_thousand_that_end,
        ten_thousand_nobody_waits_for,
        two_thousand_joined_and_gone,
        joined_by_a_last_message,
        deep_chain_of_spawns,
        tree_of_tasks,
        relay_of_a_thousand,
        busy_at_the_end,
        heavy_work_without_a_budget,
        handles_moved_to_a_reaper,
        futures_moved_to_another_task,
        cleanup_spawned_in_drop,
        cleanup_spawned_by_an_aborted_task,
        supervisor_restarts_its_worker,
        actors_that_know_each_other,
        local_set_finished,
        local_set_with_spawned_tasks,
        local_set_dropped_early,
        every_task_at_once,
        everything_dropped_in_the_middle,
    ],
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

async fn ten_thousand_that_end() {
    let tasks: JoinSet<_> = (0..10_000).map(|_| yield_now()).collect();
    assert_eq!(tasks.join_all().await.len(), 10_000);
}

async fn ten_thousand_nobody_waits_for() {
    for _ in 0..10_000 {
        tokio::spawn(yield_now());
    }
}

/// A joiner is woken before its task's terminate hook runs: right after the last join, a task can still look alive.
async fn two_thousand_joined_and_gone() {
    let handles: Vec<_> = (0..2_000).map(|_| tokio::spawn(yield_now())).collect();
    for handle in handles {
        handle.await.unwrap();
    }
}

/// The message is the last thing each task does, but not the last thing its runtime does for it.
async fn joined_by_a_last_message() {
    let (done, mut finished) = mpsc::channel(1);
    for _ in 0..500 {
        let done = done.clone();
        tokio::spawn(async move { done.send(()).await.unwrap() });
    }
    for _ in 0..500 {
        finished.recv().await.unwrap();
    }
}

async fn deep_chain_of_spawns() {
    fn depth(left: u32) -> Boxed<u32> {
        Box::pin(async move {
            match left {
                0 => 0,
                _ => tokio::spawn(depth(left - 1)).await.unwrap() + 1,
            }
        })
    }
    assert_eq!(tokio::spawn(depth(300)).await.unwrap(), 300);
}

/// 1,023 tasks; each node waits for its two children.
async fn tree_of_tasks() {
    fn grow(height: u32) -> Boxed<u32> {
        Box::pin(async move {
            if height == 0 {
                return 1;
            }
            let (left, right) = (tokio::spawn(grow(height - 1)), tokio::spawn(grow(height - 1)));
            left.await.unwrap() + right.await.unwrap() + 1
        })
    }
    assert_eq!(tokio::spawn(grow(9)).await.unwrap(), 1023);
}

/// Each task starts the next one and ends. The relay goes on after the body.
async fn relay_of_a_thousand() {
    fn run(left: u32) -> Boxed<()> {
        Box::pin(async move {
            yield_now().await;
            if left > 0 {
                tokio::spawn(run(left - 1));
            }
        })
    }
    tokio::spawn(run(1_000));
}

/// Every queue of the runtime is full when the body returns.
async fn busy_at_the_end() {
    for _ in 0..100 {
        tokio::spawn(async {
            for _ in 0..50 {
                tokio::spawn(yield_now());
                yield_now().await;
            }
        });
    }
    for _ in 0..10 {
        spawn_blocking(|| Handle::current().block_on(yield_now()));
    }
}

/// Without a budget the tasks do not let others in until they are done.
async fn heavy_work_without_a_budget() {
    let (numbers, inbox) = async_channel::unbounded();
    for number in 0..20_000_u64 {
        numbers.try_send(number).unwrap();
    }
    for _ in 0..4 {
        let inbox = inbox.clone();
        tokio::spawn(unconstrained(async move { while inbox.recv().await.is_ok() {} }));
    }
}

async fn handles_moved_to_a_reaper() {
    let (handles, mut inbox) = mpsc::channel::<JoinHandle<()>>(4);
    tokio::spawn(async move {
        while let Some(handle) = inbox.recv().await {
            handle.await.unwrap();
        }
    });
    for _ in 0..50 {
        handles.send(tokio::spawn(yield_now())).await.unwrap();
    }
}

/// The executor task runs what it is sent; the futures' own spawns have the executor for a parent.
async fn futures_moved_to_another_task() {
    let (jobs, mut inbox) = mpsc::channel::<Boxed<()>>(4);
    let executor = tokio::spawn(async move {
        while let Some(job) = inbox.recv().await {
            job.await;
        }
    });
    for _ in 0..20 {
        jobs.send(Box::pin(async { drop(tokio::spawn(yield_now())) })).await.unwrap();
    }
    drop(jobs);
    executor.await.unwrap();
}

/// Says goodbye in a task of its own when it is dropped, as there is no asynchronous `Drop`.
struct Session(Arc<AtomicUsize>);

impl Drop for Session {
    fn drop(&mut self) {
        let goodbyes = self.0.clone();
        tokio::spawn(async move {
            yield_now().await;
            goodbyes.fetch_add(1, Ordering::Relaxed);
        });
    }
}

async fn cleanup_spawned_in_drop() {
    let goodbyes = Arc::new(AtomicUsize::new(0));
    let sessions: Vec<_> = (0..20).map(|_| Session(goodbyes.clone())).collect();
    for session in sessions {
        tokio::spawn(async move { drop(session) });
    }
    while goodbyes.load(Ordering::Relaxed) < 20 {
        yield_now().await;
    }
}

/// The abort drops the session, and its goodbye is spawned while the body is over.
async fn cleanup_spawned_by_an_aborted_task() {
    let session = Session(Arc::default());
    let (ready, started) = oneshot::channel();
    let task = tokio::spawn(async move {
        let _session = session;
        ready.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    started.await.unwrap();
    task.abort();
}

async fn supervisor_restarts_its_worker() {
    async fn work(attempt: u32) {
        if attempt < 3 {
            // Without the panic hook's output.
            std::panic::resume_unwind(Box::new(attempt));
        }
    }
    let supervisor = tokio::spawn(async {
        let mut attempt = 0;
        while tokio::spawn(work(attempt)).await.is_err() {
            attempt += 1;
        }
        attempt
    });
    assert_eq!(supervisor.await.unwrap(), 3);
}

/// The child holds its parent's address weakly; with a strong one, the two would keep each other alive.
async fn actors_that_know_each_other() {
    let (parent, mut parent_inbox) = mpsc::channel(4);
    let (child, mut child_inbox) = mpsc::channel(4);
    let to_parent = parent.downgrade();
    tokio::spawn(async move {
        while child_inbox.recv().await.is_some() {
            if let Some(parent) = to_parent.upgrade() {
                parent.send("done").await.unwrap();
            }
        }
    });
    let (seen, done) = oneshot::channel();
    tokio::spawn(async move {
        child.send("please").await.unwrap();
        seen.send(parent_inbox.recv().await).unwrap();
        while parent_inbox.recv().await.is_some() {}
    });
    assert_eq!(done.await.unwrap(), Some("done"));
    drop(parent);
}

/// Tasks of a `LocalSet` have no hooks; they must not confuse the count either.
async fn local_set_finished() {
    let set = LocalSet::new();
    let sum = set.run_until(async {
        let tasks: Vec<_> = (0..10).map(|number| spawn_local(async move { number })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum.await, 45);
}

async fn local_set_with_spawned_tasks() {
    let set = LocalSet::new();
    for _ in 0..10 {
        set.spawn_local(async { tokio::spawn(yield_now()).await.unwrap() });
    }
    set.await;
}

/// The set's own tasks end with it, and so do those that wait for them.
async fn local_set_dropped_early() {
    let set = LocalSet::new();
    let (hold, held) = oneshot::channel::<()>();
    set.spawn_local(async move {
        std::future::pending::<()>().await;
        drop(hold);
    });
    let waiter = tokio::spawn(held);
    set.run_until(yield_now()).await;
    drop(set);
    assert!(waiter.await.unwrap().is_err());
}

/// All tasks end in the same moment, while the body returns.
async fn every_task_at_once() {
    let barrier = Arc::new(Barrier::new(201));
    for _ in 0..200 {
        let barrier = barrier.clone();
        tokio::spawn(async move { barrier.wait().await });
    }
    barrier.wait().await;
}

/// An error in the middle of the body: what it owns is dropped in any order, and everything ends.
async fn everything_dropped_in_the_middle() {
    async fn request() -> Result<(), &'static str> {
        let mut workers = JoinSet::new();
        let (jobs, inbox) = async_channel::bounded::<u32>(1);
        let limit = Arc::new(Semaphore::new(2));
        for _ in 0..5 {
            let (inbox, limit) = (inbox.clone(), limit.clone());
            workers.spawn(async move {
                let _permit = limit.acquire().await.unwrap();
                while inbox.recv().await.is_ok() {}
            });
        }
        jobs.send(1).await.map_err(|_| "closed")?;
        yield_now().await;
        Err("a bad request")
    }
    assert!(request().await.is_err());
}
