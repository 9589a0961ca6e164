//! A blocking pool whose closures do not return, and what the rest of a service notices of that, as tables.
//!
//! Run it: `cargo run --example blocking-behind-timeout-pool`

use std::{
    io::Read,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    fs,
    net::lookup_host,
    runtime::{Builder, Handle},
    task::{JoinHandle, spawn_blocking, yield_now},
    time::{sleep, timeout},
};

/// What has not come by then is said to wait.
const LONG: Duration = Duration::from_millis(300);
/// What does not wait comes sooner.
const LIMIT: Duration = Duration::from_secs(20);
/// What is asked of a full pool, and given up.
const LATE: usize = 10;

fn main() {
    print!("{}", table());
}

fn table() -> String {
    let head = "| pool at most | closures that stay | `tokio::fs::read` | `lookup_host` | a task, a timer |";
    let mut table = format!("{head}\n|--:|--:|---|---|---|\n");
    let default = Builder::new_current_thread();
    table += &row("512, the default", default, 511);
    let default = Builder::new_current_thread();
    table += &row("512, the default", default, 512);
    let mut raised = Builder::new_current_thread();
    raised.max_blocking_threads(1_024);
    table += &row("1024", raised, 1_024);
    table += "\n| ten closures for a full pool, all given up at once | run when the pool is free again |\n|---|--:|\n";
    let dropped = after_all(drop);
    table += &format!("| the handle is dropped | {dropped} |\n");
    let aborted = after_all(|handle| handle.abort());
    table += &format!("| the handle is aborted | {aborted} |\n");
    table
}

// ANCHOR: row
fn row(pool: &str, mut builder: Builder, stay: usize) -> String {
    let runtime = builder.enable_all().build().unwrap();
    let [read, name, rest] = runtime.block_on(async {
        let _silent = fill(stay).await;
        let read = comes(fs::read("/dev/null")).await;
        let name = comes(lookup_host("localhost:80")).await;
        let rest = async {
            tokio::spawn(sleep(Duration::from_millis(1))).await
        };
        [read, name, comes(rest).await]
    });
    format!("| {pool} | {stay} | {read} | {name} | {rest} |\n")
}

/// Closures that read from a peer that says nothing. They return
/// when it hangs up, so when the returned end is dropped.
async fn fill(stay: usize) -> UnixStream {
    let (peer, line) = UnixStream::pair().unwrap();
    let line = Arc::new(line);
    for _ in 0..stay {
        let line = line.clone();
        spawn_blocking(move || (&*line).read(&mut [0]));
    }
    let busy = || {
        let metrics = Handle::current().metrics();
        metrics.num_blocking_threads()
            - metrics.num_idle_blocking_threads()
    };
    let all = async {
        while busy() < stay {
            yield_now().await;
        }
    };
    timeout(LIMIT, all).await.expect("the pool does not fill");
    peer
}

async fn comes<F: Future>(what: F) -> &'static str {
    match timeout(LONG, what).await {
        Ok(_) => "comes",
        Err(_) => "waits",
    }
}
// ANCHOR_END: row

/// How many closures run after all, though nobody waits for them.
fn after_all(give_up: impl Fn(JoinHandle<()>)) -> usize {
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_all().max_blocking_threads(1);
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        let silent = fill(1).await;
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..LATE {
            let ran = ran.clone();
            give_up(spawn_blocking(move || {
                ran.fetch_add(1, Ordering::SeqCst);
            }));
        }
        drop(silent);
        // One thread takes them in their order: this is the last.
        spawn_blocking(|| ()).await.unwrap();
        ran.load(Ordering::SeqCst)
    })
}

#[test]
fn the_page_shows_what_this_program_prints() {
    assert_eq!(table(), include_str!("pool.md"));
}
