//! Claims about an async lock: a guard that is kept, and a lock that
//! its own holder asks for again.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::claim::{Claim, alive, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "lock-guard-kept",
        "a guard that is kept holds everybody up, and its task need not be alive",
        || paused(lock_guard_kept()),
    ),
    Claim::steady(
        "lock-guard-dropped",
        "a guard that ends with its block holds nobody up",
        || paused(lock_guard_dropped()),
    ),
    Claim::steady(
        "lock-reentered",
        "a task that asks again for the lock it holds waits for itself, and all others behind it",
        || paused(lock_reentered()),
    ),
];

/// So many tasks want the lock.
const CALLERS: usize = 10;

/// Each takes the lock once, and ends.
fn call(lock: &Arc<Mutex<u64>>) {
    for _ in 0..CALLERS {
        let lock = lock.clone();
        tokio::spawn(async move { *lock.lock().await += 1 });
    }
}

// ANCHOR: lock-guard-kept
/// A session keeps the guard for later. The task that took it ends.
async fn lock_guard_kept() -> anyhow::Result<Value> {
    let lock = Arc::new(Mutex::new(0));
    let taking = lock.clone();
    let holder = tokio::spawn(taking.lock_owned());
    let session: OwnedMutexGuard<u64> = holder.await?;
    call(&lock);
    settle().await;
    let waiting = alive();
    drop(session);
    settle().await;
    Ok(json!({ "waiting": waiting, "after_drop": alive() }))
}
// ANCHOR_END: lock-guard-kept

// ANCHOR: lock-guard-dropped
/// The same, with a guard that lives for one block.
async fn lock_guard_dropped() -> anyhow::Result<Value> {
    let lock = Arc::new(Mutex::new(0));
    {
        *lock.lock().await += 1;
    }
    call(&lock);
    settle().await;
    Ok(json!({ "waiting": alive() }))
}
// ANCHOR_END: lock-guard-dropped

// ANCHOR: lock-reentered
/// A method that holds the lock calls one that takes it.
async fn lock_reentered() -> anyhow::Result<Value> {
    let lock = Arc::new(Mutex::new(0));
    let again = lock.clone();
    let holder = tokio::spawn(async move {
        let outer = again.lock().await;
        let inner = again.lock().await;
        *outer + *inner
    });
    settle().await;
    call(&lock);
    settle().await;
    let waiting = alive();
    holder.abort();
    settle().await;
    Ok(json!({ "waiting": waiting, "after_abort": alive() }))
}
// ANCHOR_END: lock-reentered
