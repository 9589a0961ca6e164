//! How many parsers stay, by the channel's capacity and the commands in the slice, as a table.
//!
//! Run it: `cargo run --example redis-parser-capacities`

use std::time::Duration;

use resp::{End, Frame, Frames};
use tokio::{runtime::Handle, sync::mpsc, time::sleep};

/// Sessions for each row.
const SESSIONS: usize = 500;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head = "| capacity | commands in the slice | parsers left by 500 sessions | after the receivers are dropped |";
    let mut table = format!("{head}\n|--:|--:|--:|--:|\n");
    for (capacity, commands) in [
        (1, 1),
        (1, 2),
        (2, 2),
        (2, 3),
        (64, 64),
        (64, 65),
        (64, 70),
        (70, 70),
    ] {
        let (held, dropped) = row(capacity, commands).await;
        table += &format!(
            "| {capacity} | {commands} | {held} | {dropped} |\n"
        );
    }
    table
}

// ANCHOR: row
async fn row(capacity: usize, commands: usize) -> (usize, usize) {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let slice: &[u8] = b"PING\r\n".repeat(commands).leak();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let mut receiver = parse(slice, capacity);
        let first = receiver.recv().await;
        assert!(matches!(first, Some(Ok(_))), "{first:?}");
        sessions.push(receiver);
    }
    // The clock is paused: a minute passes when nothing can move.
    sleep(Duration::from_secs(60)).await;
    let held = alive();
    drop(sessions);
    sleep(Duration::from_secs(60)).await;
    (held, alive())
}
// ANCHOR_END: row

/// As in `leak.rs`, for any capacity. The parser sends; the caller receives, and may drop it.
fn parse(
    source: &'static [u8],
    capacity: usize,
) -> mpsc::Receiver<Result<Frame, End>> {
    let (tx, rx) = mpsc::channel(capacity);
    tokio::spawn(async move {
        let mut commands = Frames::commands(source);
        loop {
            let command = commands.next().await;
            let ended = command.is_err();
            if tx.send(command).await.is_err() || ended {
                return;
            }
        }
    });
    rx
}

#[leakcheck::test(start_paused = true)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("capacities.md"));
}
