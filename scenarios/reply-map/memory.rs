//! What one entry keeps whose caller has left, by what the caller was, as a table.
//!
//! Run it: `cargo run --example reply-map-memory`

use std::{alloc::System, collections::HashMap, hint::black_box};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    task::{JoinHandle, yield_now},
};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Callers that wait, and leave. A map has room for as many: else it would have more room than entries.
const CALLERS: u32 = 1_792;

type Answer = oneshot::Receiver<u32>;

fn main() {
    println!("| the caller that has left | bytes kept per entry |");
    println!("|---|--:|");
    row("a future that was never polled", |_| None);
    row("a task, aborted while it waits", |answer| {
        Some(tokio::spawn(wait::<1>(answer)))
    });
    row("the same, with 1 KiB in its future", |answer| {
        Some(tokio::spawn(wait::<1024>(answer)))
    });
}

fn row(
    name: &str,
    caller: impl Fn(Answer) -> Option<JoinHandle<()>>,
) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let kept = runtime.block_on(async {
        let mut map = HashMap::new();
        let region = Region::new(COUNTED);
        for id in 0..CALLERS {
            let (reply, answer) = oneshot::channel();
            map.insert(id, reply);
            if let Some(task) = caller(answer) {
                // It runs to where it waits, is aborted, and ends.
                yield_now().await;
                assert!(!task.is_finished());
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
        }
        let change = region.change();
        change.bytes_allocated - change.bytes_deallocated
    });
    println!("| {name} | {} |", kept / CALLERS as usize);
}

async fn wait<const INSIDE: usize>(answer: Answer) {
    let buffer = [0_u8; INSIDE];
    let _ = answer.await;
    black_box(&buffer);
}
