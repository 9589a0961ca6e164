//! Three ways to end a queue, and what a `while let` loop makes of each, as a table.
//!
//! Run it: `cargo run --example unclosed-pipe-endings`

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let rows = [
        ("sends three, then is dropped", watch(3, false).await),
        ("sends three, and is kept", watch(3, true).await),
        ("sends nothing, and is dropped", watch(0, false).await),
    ];
    let head = "| the only sender | rows received | the loop |";
    let mut table = format!("{head}\n|---|--:|---|\n");
    for (sender, (received, end)) in rows {
        table += &format!("| {sender} | {received} | {end} |\n");
    }
    table
}

// ANCHOR: ending
async fn watch(rows: u64, keep: bool) -> (u64, &'static str) {
    let (tx, mut rx) = mpsc::channel(8);
    for row in 0..rows {
        let _ = tx.send(row).await;
    }
    let kept = keep.then(|| tx.clone());
    drop(tx);
    let mut received = 0;
    let consumer = async {
        while let Some(_row) = rx.recv().await {
            received += 1;
        }
    };
    // The clock is paused: an hour passes when nothing can move.
    let hour = Duration::from_secs(3600);
    let end = match timeout(hour, consumer).await {
        Ok(()) => "ends",
        Err(_) => "still waits after an hour",
    };
    drop(kept);
    (received, end)
}
// ANCHOR_END: ending

#[tokio::test(start_paused = true)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("endings.md"));
}
