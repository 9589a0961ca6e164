//! Lines that wait without a limit, what should end each, and whether it does, as a table.
//!
//! Run it: `cargo run --example select-without-exit-waits`

use std::{future::pending, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// The clock is paused: an hour passes as soon as nothing can move.
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head =
        "| the line | how many | after an hour | then | after that |";
    let mut table = format!("{head}\n|---|---|---|---|---|\n");
    right(&mut table).await;
    wrong(&mut table).await;
    table
}

/// Runs a line in a task; an hour later does what should end it; an
/// hour later looks again.
// ANCHOR: row
macro_rules! row {
    ($to:ident, $many:literal, $line:expr, $task:ident => $end:expr) => {
        let $task = tokio::spawn(async move {
            let _ = $line;
        });
        sleep(HOUR).await;
        let before = word($task.is_finished());
        $end;
        sleep(HOUR).await;
        let after = word($task.is_finished());
        let (line, end) = (stringify!($line), stringify!($end));
        *$to += &format!(
            "| `{line}` | {} | {before} | `{end}` | {after} |\n",
            $many
        );
        $task.abort();
    };
}
// ANCHOR_END: row

fn word(ended: bool) -> &'static str {
    if ended { "ended" } else { "waits" }
}

/// A number that does not grow with the work, and an owner who can
/// end it.
async fn right(table: &mut String) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    row!(table, "1 a port", port.accept().await, owner => owner.abort());
    let mut hangup = signal(SignalKind::hangup()).unwrap();
    row!(table, "1 a process", hangup.recv().await, owner => owner.abort());
    let mut tick = interval(HOUR / 60);
    row!(table, "1 a process", loop { tick.tick().await; }, owner => owner.abort());
    // The queue's owner sends, the worker receives; dropping closes.
    let (queue, mut jobs) = mpsc::channel::<u8>(1);
    row!(table, "1 a core", jobs.recv().await, _task => drop(queue));
    // As before; this worker looks now and then.
    let (queue, late) = mpsc::channel::<u8>(1);
    row!(table, "1 a core", while !late.is_closed() { sleep(HOUR / 60).await }, _task => drop(queue));
    let stop = CancellationToken::new();
    let child = stop.child_token();
    row!(table, "1 a request", child.cancelled().await, _task => stop.cancel());
}

/// One more for each request, and an end that does not reach it.
async fn wrong(table: &mut String) {
    // A caller sends, and so could its clone; dropping both closes.
    let (caller, mut asks) = mpsc::channel::<u8>(1);
    let _clone = caller.clone();
    row!(table, "1 a request", asks.recv().await, _task => drop(caller));
    // The process sends prices, tasks receive; closed with the process.
    let (_process, mut prices) = watch::channel(30);
    let caller = CancellationToken::new();
    row!(table, "1 a request", prices.changed().await, _task => caller.cancel());
    let caller = CancellationToken::new();
    row!(table, "1 a request", pending::<()>().await, _task => caller.cancel());
}

#[leakcheck::test(start_paused = true)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("waits.md"));
}
