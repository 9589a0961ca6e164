//! The orders in which a queue and its reader can be ended, and what becomes of eight items, as a table.
//!
//! Run it: `cargo run --example closed-too-early-orders`

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Builder,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

fn main() {
    print!("{}", table());
}

const ITEMS: u64 = 8;
/// What one item takes, on a paused clock.
const WORK: Duration = Duration::from_secs(1);

fn table() -> String {
    let rows = [
        ("ends the runtime", row(async |_| {})),
        (
            "aborts, joins",
            row(async |queue| {
                queue.reader.abort();
                assert!(queue.reader.await.is_err());
            }),
        ),
        (
            "closes, aborts, joins",
            row(async |queue| {
                drop(queue.tx);
                queue.reader.abort();
                assert!(queue.reader.await.is_err());
            }),
        ),
        (
            "tells the reader to stop, joins",
            row(async |queue| {
                queue.stop.cancel();
                queue.reader.await.unwrap();
            }),
        ),
        (
            "joins, closes",
            row(async |queue| {
                queue.reader.await.unwrap();
                drop(queue.tx);
            }),
        ),
        (
            "closes, joins: the reader drains",
            row(async |queue| {
                drop(queue.tx);
                queue.reader.await.unwrap();
            }),
        ),
        (
            "tells the reader to close and drain, joins",
            row(async |queue| {
                queue.close.cancel();
                queue.reader.await.unwrap();
            }),
        ),
    ];
    let head = "| the owner | items done | lost | the owner waits |";
    let mut table = format!("{head}\n|---|--:|--:|--:|\n");
    for (what, (done, waits)) in rows {
        let lost = ITEMS - done;
        table += &format!("| {what} | {done} | {lost} | {waits} |\n");
    }
    table
}

/// The owner's. It sends, the reader receives; see the table for who closes.
struct Queue {
    tx: mpsc::Sender<u64>,
    reader: JoinHandle<()>,
    stop: CancellationToken,
    close: CancellationToken,
}

// ANCHOR: row
/// Sends eight items, and ends the queue when the fourth is in hand.
fn row(end: impl AsyncFnOnce(Queue)) -> (u64, String) {
    let done = Arc::new(AtomicU64::new(0));
    let owner = async {
        let queue = started(done.clone());
        for item in 0..ITEMS {
            queue.tx.send(item).await.unwrap();
        }
        sleep(WORK * 7 / 2).await;
        let (begun, hour) = (Instant::now(), WORK * 3600);
        match timeout(hour, end(queue)).await {
            Ok(()) => {
                format!("{:.1} s", begun.elapsed().as_secs_f64())
            }
            Err(_) => "for ever".to_owned(),
        }
    };
    // A runtime of its own, that ends with its owner.
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let waits = runtime.unwrap().block_on(owner);
    (done.load(Ordering::Relaxed), waits)
}
// ANCHOR_END: row

fn started(done: Arc<AtomicU64>) -> Queue {
    let (tx, rx) = mpsc::channel(ITEMS as usize);
    let [stop, close] = [(); 2].map(|()| CancellationToken::new());
    let reader = read(rx, done, stop.clone(), close.clone());
    Queue { tx, reader: tokio::spawn(reader), stop, close }
}

/// Looks at both tokens between two items.
async fn read(
    mut rx: mpsc::Receiver<u64>,
    done: Arc<AtomicU64>,
    stop: CancellationToken,
    close: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = close.cancelled(), if !rx.is_closed() => rx.close(),
            item = rx.recv() => {
                let Some(_) = item else { return };
                sleep(WORK).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table(), include_str!("orders.md"));
}
