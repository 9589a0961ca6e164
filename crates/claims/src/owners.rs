//! Claims about owners: of a task, of a child token, and of what must
//! be stored before the end.

use std::{
    alloc::System,
    future::pending,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::claim::{Claim, alive, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "clean-up-awaits",
        "Drop cannot await: what it spawns is lost when the program ends, and what close().await stores is not",
        clean_up_awaits,
    ),
    Claim::steady(
        "handle-in-cycle",
        "an AbortOnDropHandle that its own task owns is never dropped",
        || paused(handle_in_cycle()),
    ),
    Claim::noisy(
        "child-tokens",
        "a child token that somebody keeps stays in its parent's tree",
        child_tokens,
    ),
];

// ANCHOR: clean-up-awaits
/// Ten rows, each in a writer. A store takes a second for each.
fn clean_up_awaits() -> anyhow::Result<Value> {
    let (store, mut stored) = mpsc::channel(10);
    let left = paused(async {
        for row in 0..10 {
            drop(Writer(Some(row), store.clone()));
        }
        Ok(alive().into()) // The program ends here.
    })?;
    let by_drop = stored.len();
    while stored.try_recv().is_ok() {}
    paused(async {
        for row in 0..10 {
            Writer(Some(row), store.clone()).close().await;
        }
        Ok(alive().into())
    })?;
    Ok(json!({
        "rows_saved_by_drop": by_drop,
        "rows_saved_by_close": stored.len(),
        "tasks_left": left,
    }))
}

struct Writer(Option<u8>, mpsc::Sender<u8>);

impl Writer {
    /// The way to end it: who awaits this knows that it is stored.
    async fn close(mut self) {
        save(self.0.take(), self.1.clone()).await;
    }
}

impl Drop for Writer {
    /// For those who forget. No owner waits for this task.
    fn drop(&mut self) {
        if self.0.is_some() {
            tokio::spawn(save(self.0.take(), self.1.clone()));
        }
    }
}

async fn save(row: Option<u8>, store: mpsc::Sender<u8>) {
    sleep(Duration::from_secs(1)).await;
    if let Some(row) = row {
        let _ = store.send(row).await;
    }
}
// ANCHOR_END: clean-up-awaits

// ANCHOR: handle-in-cycle
/// Ten services own their tasks; the tasks own the services.
async fn handle_in_cycle() -> anyhow::Result<Value> {
    let mut dropped = 0;
    for _ in 0..10 {
        let service = Arc::new(Service::default());
        let own = service.clone();
        service.run(async move {
            let _own = own;
            pending().await
        });
        drop(service);
        dropped += 1;
    }
    settle().await;
    let left = alive();
    for _ in 0..10 {
        let service = Arc::new(Service::default());
        let own = Arc::downgrade(&service);
        service.run(async move {
            let _own = own; // To be upgraded where it is used.
            pending().await
        });
        drop(service);
    }
    settle().await;
    Ok(json!({
        "owners_dropped": dropped,
        "tasks_left": left,
        "tasks_left_with_weak": alive() - left,
    }))
}

#[derive(Default)]
struct Service(OnceLock<AbortOnDropHandle<()>>);

impl Service {
    fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.get_or_init(|| {
            AbortOnDropHandle::new(tokio::spawn(work))
        });
    }
}
// ANCHOR_END: handle-in-cycle

// ANCHOR: child-tokens
/// What 10,000 children of a token hold of the memory: kept in a
/// list that nobody clears, and dropped each.
fn child_tokens() -> anyhow::Result<Value> {
    const CHILDREN: usize = 10_000;
    let parent = CancellationToken::new();
    let mut kept = Vec::with_capacity(CHILDREN);
    let memory = Region::new(ALLOCATOR);
    for _ in 0..CHILDREN {
        drop(parent.child_token());
    }
    let dropped = in_use(&memory);
    for _ in 0..CHILDREN {
        kept.push(parent.child_token());
    }
    let bytes = in_use(&memory) - dropped;
    Ok(json!({
        "children": kept.len(),
        "bytes_per_kept_child": bytes / CHILDREN as u64,
        "bytes_per_dropped_child": dropped / CHILDREN as u64,
    }))
}

/// Counts what the process allocates, that of other threads too.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn in_use(memory: &Region<System>) -> u64 {
    let stats = memory.change();
    let bytes =
        stats.bytes_allocated.saturating_sub(stats.bytes_deallocated);
    bytes as u64
}
// ANCHOR_END: child-tokens
