//! A few programs that do leak, each from one line: the neighbours of the clean ones.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{Mutex, Notify, mpsc},
    task::yield_now,
    time::{interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::programs::Body;

/// A program that leaves `count` tasks, all spawned at `place`.
#[derive(Clone, Copy)]
pub(crate) struct Leak {
    pub(crate) name: &'static str,
    /// As in a report: file and line.
    pub(crate) place: &'static str,
    pub(crate) count: usize,
    pub(crate) run: fn() -> Body,
}

/// A body that spawns the tasks. Inside a macro, every place is the line where the macro is used: so is the spawn's.
macro_rules! leaks {
    ($name:literal, $count:literal, $task:expr) => {
        Leak {
            name: $name,
            place: concat!(file!(), ":", line!()),
            count: $count,
            run: || {
                Box::pin(async {
                    for _ in 0..$count {
                        tokio::spawn($task);
                    }
                    yield_now().await;
                })
            },
        }
    };
}

pub(crate) fn all() -> Vec<Leak> {
    vec![
        leaks!("waits for nothing", 1, pending::<()>()),
        leaks!("worker owns a sender", 2, worker_owns_a_sender()),
        leaks!("select without else", 3, select_without_else()),
        leaks!("token nobody cancels", 4, async { CancellationToken::new().cancelled().await }),
        leaks!("tracker not closed", 5, async { TaskTracker::new().wait().await }),
        leaks!("locks twice", 6, locks_twice()),
        leaks!("full channel", 7, full_channel()),
        leaks!("accepts for ever", 2, accepts_for_ever()),
        leaks!("async-channel", 100, foreign_channel()),
        leaks!("a crowd", 1000, Arc::new(Notify::new()).notified_owned()),
        leaks!("ticker", 1, ticks_for_ever()),
        leaks!("retries for ever", 3, retries_for_ever()),
    ]
}

async fn worker_owns_a_sender() {
    let (_jobs, mut inbox) = mpsc::channel::<()>(1);
    while inbox.recv().await.is_some() {}
}

async fn select_without_else() {
    let (jobs, mut inbox) = mpsc::channel::<()>(1);
    let flush = Notify::new();
    drop(jobs);
    loop {
        tokio::select! {
            Some(()) = inbox.recv() => {}
            () = flush.notified() => {}
        }
    }
}

async fn locks_twice() {
    let lock = Mutex::new(());
    let _first = lock.lock().await;
    let _second = lock.lock().await;
}

async fn full_channel() {
    let (jobs, _inbox) = mpsc::channel(1);
    while jobs.send(()).await.is_ok() {}
}

async fn accepts_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    while listener.accept().await.is_ok() {}
}

async fn foreign_channel() {
    let (_jobs, inbox) = async_channel::bounded::<()>(1);
    while inbox.recv().await.is_ok() {}
}

async fn ticks_for_ever() {
    let mut ticks = interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
    }
}

async fn retries_for_ever() {
    let mut pause = Duration::from_millis(1);
    loop {
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
