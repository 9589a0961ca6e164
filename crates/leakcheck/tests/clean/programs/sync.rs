//! Locks, semaphores and meeting points that let everyone go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, mpsc},
    task::{JoinSet, yield_now},
    time::sleep,
};

use super::programs;

programs! {
    EVERYWHERE: [
        semaphore_lets_everyone_through,
        semaphore_closed,
        permit_handed_to_the_task,
        notify_one_before_the_wait,
        notify_waiters_after_enable,
        barrier_for_the_right_number,
        lock_released_before_the_send,
        lock_held_until_the_body_ends,
        locks_in_one_order,
        read_write_lock,
        writer_behind_readers,
        once_cell_filled_once,
        latch,
    ],
}

async fn semaphore_lets_everyone_through() {
    let permits = Arc::new(Semaphore::new(2));
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let permits = permits.clone();
        tasks.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            yield_now().await;
        });
    }
    tasks.join_all().await;
    assert_eq!(permits.available_permits(), 2);
}

async fn semaphore_closed() {
    let permits = Arc::new(Semaphore::new(0));
    let tasks: Vec<_> = (0..5).map(|_| tokio::spawn(permits.clone().acquire_owned())).collect();
    yield_now().await;
    permits.close();
    for task in tasks {
        assert!(task.await.unwrap().is_err());
    }
}

/// The permit ends with the task that holds it, so the last acquire is the join.
async fn permit_handed_to_the_task() {
    let permits = Arc::new(Semaphore::new(4));
    for _ in 0..12 {
        let permit = permits.clone().acquire_owned().await.unwrap();
        tokio::spawn(async move {
            yield_now().await;
            drop(permit);
        });
    }
    drop(permits.acquire_many(4).await.unwrap());
}

/// `notify_one` keeps a permit: it does not matter who comes first.
async fn notify_one_before_the_wait() {
    let notify = Arc::new(Notify::new());
    notify.notify_one();
    tokio::spawn(async move { notify.notified().await }).await.unwrap();
}

/// Registers first, looks at the flag then, waits last: no notification is lost.
async fn notify_waiters_after_enable() {
    let (notify, ready) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    for _ in 0..10 {
        let (notify, ready) = (notify.clone(), ready.clone());
        tokio::spawn(async move {
            let mut notified = std::pin::pin!(notify.notified());
            notified.as_mut().enable();
            if !ready.load(Ordering::SeqCst) {
                notified.await;
            }
        });
    }
    yield_now().await;
    ready.store(true, Ordering::SeqCst);
    notify.notify_waiters();
}

async fn barrier_for_the_right_number() {
    let barrier = Arc::new(Barrier::new(10));
    let tasks = (0..10).map(|_| {
        let barrier = barrier.clone();
        tokio::spawn(async move { barrier.wait().await.is_leader() })
    });
    let leaders = join_all(tasks).await.into_iter().filter(|leader| *leader.as_ref().unwrap()).count();
    assert_eq!(leaders, 1);
}

/// The guard ends before the send, so a full channel blocks nobody else.
async fn lock_released_before_the_send() {
    let (events, mut inbox) = mpsc::channel(1);
    let state = Arc::new(Mutex::new(0));
    for _ in 0..10 {
        let (events, state) = (events.clone(), state.clone());
        tokio::spawn(async move {
            let value = {
                let mut state = state.lock().await;
                *state += 1;
                *state
            };
            events.send(value).await.unwrap();
        });
    }
    drop(events);
    while inbox.recv().await.is_some() {
        assert!(*state.lock().await > 0);
    }
}

/// The waiters get the lock only when the body is over.
async fn lock_held_until_the_body_ends() {
    let lock = Arc::new(Mutex::new(0));
    let _held = lock.clone().lock_owned().await;
    for _ in 0..10 {
        let lock = lock.clone();
        tokio::spawn(async move { *lock.lock().await += 1 });
    }
    yield_now().await;
}

async fn locks_in_one_order() {
    let (accounts, journal) = (Arc::new(Mutex::new(100)), Arc::new(Mutex::new(Vec::new())));
    for amount in 0..20 {
        let (accounts, journal) = (accounts.clone(), journal.clone());
        tokio::spawn(async move {
            let mut accounts = accounts.lock().await;
            yield_now().await;
            let mut journal = journal.lock().await;
            *accounts += amount;
            journal.push(amount);
        });
    }
}

async fn read_write_lock() {
    let lock = Arc::new(RwLock::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let lock = lock.clone();
        tasks.spawn(async move {
            if number % 5 == 0 {
                *lock.write().await += 1;
            } else {
                assert!(*lock.read().await <= 4);
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(*lock.read().await, 4);
}

/// One read at a time per task: a second one would wait behind the writer, and the writer behind the first.
async fn writer_behind_readers() {
    let lock = Arc::new(RwLock::new(0));
    for _ in 0..5 {
        let lock = lock.clone();
        tokio::spawn(async move {
            let guard = lock.read().await;
            sleep(Duration::from_millis(5)).await;
            drop(guard);
            drop(lock.read().await);
        });
    }
    yield_now().await;
    tokio::spawn(async move { *lock.write().await += 1 });
}

async fn once_cell_filled_once() {
    let cell = Arc::new(OnceCell::new());
    let tasks = (0..10).map(|number| {
        let cell = cell.clone();
        tokio::spawn(async move {
            *cell
                .get_or_init(|| async move {
                    yield_now().await;
                    number
                })
                .await
        })
    });
    let values: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert!(values.iter().all(|value| *value == values[0]));
}

/// In Go, this is a `WaitGroup`. Here the clones of a sender count the tasks.
async fn latch() {
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    for _ in 0..20 {
        let alive = alive.clone();
        tokio::spawn(async move {
            yield_now().await;
            drop(alive);
        });
    }
    drop(alive);
    assert!(all_gone.recv().await.is_none());
}
