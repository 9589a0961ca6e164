//! Claims about the count of live tasks: what it counts, and what it
//! costs.

use std::{future::pending, hint::black_box, time::Instant};

use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Handle, LocalOptions},
    task::{LocalSet, spawn_blocking},
};

use crate::claim::{Claim, alive, paused, rounded, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "count-excludes",
        "num_alive_tasks counts the tasks of its own runtime, and nothing else",
        || paused(count_excludes()),
    ),
    Claim::steady(
        "count-blind-spots",
        "some leaks leave the task count where it is",
        || paused(count_blind_spots()),
    ),
    Claim::noisy(
        "count-cost",
        "reading the count costs nanoseconds, with any number of tasks",
        count_cost,
    ),
];

// ANCHOR: count-excludes
/// One of each kind, alive at the same time.
async fn count_excludes() -> anyhow::Result<Value> {
    let block_on = alive(); // This function runs in `block_on`.
    let (finish, told) = std::sync::mpsc::channel::<()>();
    let closure = spawn_blocking(move || told.recv());
    let blocking = alive();
    let set = LocalSet::new();
    set.spawn_local(pending::<()>());
    let local = alive();
    tokio::spawn(pending::<()>());
    let spawned = alive();
    finish.send(())?;
    closure.await??;
    let runtime = Builder::new_current_thread()
        .build_local(LocalOptions::default())?;
    runtime.spawn_local(pending::<()>());
    let local_runtime = runtime.metrics().num_alive_tasks();
    runtime.shutdown_background();
    Ok(json!({
        "block_on": block_on,
        "spawn_blocking": blocking - block_on,
        "spawn_local": local - blocking,
        "spawn": spawned - local,
        "local_runtime": local_runtime,
    }))
}
// ANCHOR_END: count-excludes

// ANCHOR: count-blind-spots
/// Ten finished tasks nobody reaps, ten permits nobody returns.
async fn count_blind_spots() -> anyhow::Result<Value> {
    let mut connections = tokio::task::JoinSet::new();
    let pool = tokio::sync::Semaphore::new(10);
    for _ in 0..10 {
        connections.spawn(async {});
        pool.acquire().await?.forget();
    }
    settle().await;
    Ok(json!({
        "tasks_left": alive(),
        "handles_kept": connections.len(),
        "permits_free": pool.available_permits(),
    }))
}
// ANCHOR_END: count-blind-spots

// ANCHOR: count-cost
/// Reads the count with none and with 100,000 parked tasks.
fn count_cost() -> anyhow::Result<Value> {
    let runtime = Builder::new_current_thread().build()?;
    let alone = nanoseconds_per_read(runtime.handle());
    for _ in 0..100_000 {
        runtime.spawn(pending::<()>());
    }
    let crowded = nanoseconds_per_read(runtime.handle());
    Ok(json!({
        "tasks": runtime.metrics().num_alive_tasks(),
        "nanoseconds_alone": rounded(alone),
        "nanoseconds_crowded": rounded(crowded),
    }))
}

/// The best of five rounds: a busy machine only ever adds.
fn nanoseconds_per_read(runtime: &Handle) -> u64 {
    let (metrics, reads) = (runtime.metrics(), 100_000);
    let round = |_| {
        let start = Instant::now();
        for _ in 0..reads {
            black_box(metrics.num_alive_tasks());
        }
        start.elapsed().as_nanos() as u64 / reads
    };
    (0..5).map(round).min().unwrap_or_default().max(1)
}
// ANCHOR_END: count-cost
