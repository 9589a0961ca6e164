//! Tasks that wait for each other's end, by what they wait with: what is left, and what ends it, as a table.
//!
//! Run it: `cargo run --example ring-of-tasks-rings`

use std::time::Duration;

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinHandle},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Spawns a ring.
type Spawn = fn() -> Vec<AbortHandle>;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head = "each waits with | for the end of | tasks | left after an hour | left after one was aborted";
    let mut table = format!("| {head} |\n|---|---|--:|--:|--:|\n");
    let rows: [(&str, Spawn); 6] = [
        ("`recv()` | the sender in the task before", channels),
        ("`closed()` | the receiver in the task behind", closed),
        ("`recv()` or `closed()` | either of them", both),
        ("a handle | the task behind", handles),
        (
            "`cancelled()` | the `DropGuard` in the task behind",
            tokens,
        ),
        (
            "`recv()`, with a limit of a minute | the task before",
            limits,
        ),
    ];
    for (name, ring) in rows {
        table += &row(name, ring()).await;
    }
    table
}

// ANCHOR: row
async fn row(name: &str, ring: Vec<AbortHandle>) -> String {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let begun = alive();
    sleep(HOUR).await;
    let left = alive();
    ring[0].abort();
    sleep(HOUR).await;
    format!("| {name} | {begun} | {left} | {} |\n", alive())
}
// ANCHOR_END: row

const TASKS: usize = 3;

type Rx = mpsc::Receiver<()>;
type Tx = mpsc::Sender<()>;

/// Three channels: task `n` has the receiver of one, and the sender of the next.
fn ring<F>(run: fn(Rx, Tx) -> F) -> Vec<AbortHandle>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (mut to, mut from): (Vec<_>, Vec<_>) =
        (0..TASKS).map(|_| mpsc::channel(1)).unzip();
    to.rotate_left(1);
    let ends = from.drain(..).zip(to);
    ends.map(|(rx, tx)| tokio::spawn(run(rx, tx)).abort_handle())
        .collect()
}

fn channels() -> Vec<AbortHandle> {
    ring(|mut rx: Rx, tx: Tx| async move {
        let _tx = tx;
        while rx.recv().await.is_some() {}
    })
}

fn closed() -> Vec<AbortHandle> {
    ring(|rx: Rx, tx: Tx| async move {
        let _rx = rx;
        tx.closed().await;
    })
}

fn both() -> Vec<AbortHandle> {
    ring(|mut rx: Rx, tx: Tx| async move {
        tokio::select! { _ = rx.recv() => {} () = tx.closed() => {} }
    })
}

fn limits() -> Vec<AbortHandle> {
    ring(|mut rx: Rx, tx: Tx| async move {
        let (_tx, minute) = (tx, Duration::from_secs(60));
        let _ = timeout(minute, rx.recv()).await;
    })
}

/// Each task gets the handle of another one, which it awaits.
fn handles() -> Vec<AbortHandle> {
    let (give, mut get): (Vec<_>, Vec<_>) = (0..TASKS)
        .map(|_| oneshot::channel::<JoinHandle<()>>())
        .unzip();
    let mut tasks: Vec<_> = get
        .drain(..)
        .map(|other| {
            tokio::spawn(async move {
                if let Ok(other) = other.await {
                    let _ = other.await;
                }
            })
        })
        .collect();
    let aborts = tasks.iter().map(JoinHandle::abort_handle).collect();
    tasks.rotate_left(1);
    for (give, task) in give.into_iter().zip(tasks) {
        let _ = give.send(task);
    }
    aborts
}

/// Each task cancels a token by its end, and waits for another one.
fn tokens() -> Vec<AbortHandle> {
    let tokens: Vec<_> =
        (0..TASKS).map(|_| CancellationToken::new()).collect();
    let tasks = (0..TASKS).map(|n| {
        let own = tokens[n].clone().drop_guard();
        let other = tokens[(n + 1) % TASKS].clone();
        tokio::spawn(async move {
            let _own = own;
            other.cancelled().await;
        })
        .abort_handle()
    });
    tasks.collect()
}

#[leakcheck::test(start_paused = true)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("rings.md"));
}
