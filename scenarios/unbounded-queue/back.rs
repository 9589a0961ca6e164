//! What a reader gets that has stalled and comes back, by the form of the queue, as a table.
//!
//! Run it: `cargo run --example unbounded-queue-back`

#![expect(
    clippy::disallowed_methods,
    reason = "this channel is what the file is about"
)]

use tokio::sync::{
    broadcast::{self, error::TryRecvError},
    mpsc, watch,
};

/// Readings while the reader stalls: 1, 2, 3 and so on.
const READINGS: u32 = 1_000;
const QUEUE: usize = 8;

fn main() {
    print!("{}", table());
}

fn table() -> String {
    let head = "| queue | readings kept | the first one read | the last one |";
    let mut table = format!("{head}\n|---|--:|--:|--:|\n");
    table += &row("`unbounded_channel`", unbounded());
    table += &row("`channel(8)`, `try_send`", bounded());
    table += &row("`broadcast::channel(8)`", newest());
    table + &row("`watch`", latest())
}

fn row(queue: &str, read: Vec<u32>) -> String {
    let (first, last) = (read[0], read[read.len() - 1]);
    let n = read.len();
    format!("| {queue} | {n} | {first} | {last} |\n")
}

fn unbounded() -> Vec<u32> {
    let (tx, mut rx) = mpsc::unbounded_channel();
    for reading in 1..=READINGS {
        tx.send(reading).unwrap();
    }
    std::iter::from_fn(|| rx.try_recv().ok()).collect()
}

fn bounded() -> Vec<u32> {
    let (tx, mut rx) = mpsc::channel(QUEUE);
    for reading in 1..=READINGS {
        // What finds no room is dropped.
        let _ = tx.try_send(reading);
    }
    std::iter::from_fn(|| rx.try_recv().ok()).collect()
}

fn newest() -> Vec<u32> {
    let (tx, mut rx) = broadcast::channel(QUEUE);
    for reading in 1..=READINGS {
        tx.send(reading).unwrap();
    }
    let missed = rx.try_recv();
    assert!(matches!(missed, Err(TryRecvError::Lagged(_))));
    std::iter::from_fn(|| rx.try_recv().ok()).collect()
}

fn latest() -> Vec<u32> {
    let (tx, mut rx) = watch::channel(0);
    for reading in 1..=READINGS {
        tx.send(reading).unwrap();
    }
    vec![*rx.borrow_and_update()]
}

#[test]
fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table(), include_str!("back.md"));
}
