//! Daemons that are meant to stay, and say so: by file, by line, by crate, or where they are spawned.

use std::{future::pending, pin::Pin, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet, yield_now},
    time::interval,
};

use super::{Clean, EVERYWHERE};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes a function that spawns, and a constant with the file and line of the spawn: both are where the macro is used.
macro_rules! spawned_here {
    ($place:ident, $spawn:ident, $task:expr) => {
        const $place: &str = concat!(file!(), ":", line!());
        fn $spawn() -> JoinHandle<()> {
            tokio::spawn($task)
        }
    };
}

spawned_here!(EXPORTER, spawn_exporter, pending());
spawned_here!(SWEEPER, spawn_sweeper, tick_for_ever());

async fn tick_for_ever() {
    let mut ticks = interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
    }
}

pub(crate) fn all() -> Vec<Clean> {
    macro_rules! daemons {
        ($($name:ident: $allow:expr,)+) => {
            vec![$(Clean { name: stringify!($name), flavors: EVERYWHERE, allow: $allow, run: || Box::pin($name()) },)+]
        };
    }
    daemons! {
        allowed_by_file: &["programs/daemons.rs"],
        allowed_by_whole_path: &[file!()],
        allowed_by_line: &[EXPORTER],
        allowed_by_two_lines: &[EXPORTER, SWEEPER],
        allowed_by_own_crate: &["leakcheck"],
        allowed_by_foreign_crate: &["tokio"],
        declared_where_spawned: &[],
        declared_ticker: &[],
        declared_with_its_family: &[],
        declared_beside_good_tasks: &[],
        declared_channel_daemon: &[],
    }
}

async fn allowed_by_file() {
    tokio::spawn(pending::<()>());
    spawn_exporter();
}

async fn allowed_by_whole_path() {
    tokio::spawn(tick_for_ever());
}

async fn allowed_by_line() {
    spawn_exporter();
}

async fn allowed_by_two_lines() {
    spawn_exporter();
    spawn_sweeper();
    tokio::spawn(yield_now()).await.unwrap();
}

async fn allowed_by_own_crate() {
    spawn_sweeper();
    tokio::spawn(pending::<()>());
}

/// Called through a pointer, `spawn` knows no caller: the place of the spawn is in Tokio's own source.
async fn allowed_by_foreign_crate() {
    let spawn: fn(Task) -> JoinHandle<()> = tokio::spawn;
    spawn(Box::pin(pending()));
}

async fn declared_where_spawned() {
    leakcheck::daemon("metrics", || tokio::spawn(pending::<()>()));
}

async fn declared_ticker() {
    leakcheck::daemon("clock", || tokio::spawn(tick_for_ever()));
}

/// Every task that is spawned inside the declaration is a daemon.
async fn declared_with_its_family() {
    leakcheck::daemon("pool", || {
        for _ in 0..4 {
            tokio::spawn(pending::<()>());
        }
    });
}

async fn declared_beside_good_tasks() {
    leakcheck::daemon("metrics", || tokio::spawn(pending::<()>()));
    let tasks: JoinSet<_> = (0..50).map(|_| yield_now()).collect();
    tasks.join_all().await;
    tokio::spawn(yield_now());
}

/// A daemon that answers through a channel which a second daemon keeps open.
async fn declared_channel_daemon() {
    let (requests, mut inbox) = mpsc::channel::<oneshot::Sender<u32>>(4);
    let keep_open = requests.clone();
    leakcheck::daemon("counter", || {
        tokio::spawn(async move {
            for number in 0.. {
                let Some(reply) = inbox.recv().await else { break };
                // The caller may have gone away.
                let _ = reply.send(number);
            }
        })
    });
    leakcheck::daemon("keeper", || {
        tokio::spawn(async move {
            let _keep_open = keep_open;
            pending::<()>().await;
        })
    });
    let (reply, answer) = oneshot::channel();
    requests.send(reply).await.unwrap();
    assert_eq!(answer.await.unwrap(), 0);
}
