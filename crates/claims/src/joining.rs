//! Claims about waiting for several: `try_join_all` and `Barrier`.

use std::{future::pending, time::Duration};

use anyhow::ensure;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::{sync::Barrier, time::timeout};

use crate::claim::{Claim, paused};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "join-all-size-hint",
        "try_join_all goes by how many futures there may be at most, and not by how many there are",
        || paused(join_all_size_hint()),
    ),
    Claim::steady(
        "barrier-dropped-wait",
        "a wait on a Barrier that was dropped has still arrived",
        || paused(barrier_dropped_wait()),
    ),
];

const HOUR: Duration = Duration::from_secs(3600);

// ANCHOR: join-all-size-hint
/// Three futures, of which the last fails at once and the others
/// wait: taken out of 100 by a filter, and from an array.
async fn join_all_size_hint() -> anyhow::Result<Value> {
    let query = async |i: u32| -> anyhow::Result<()> {
        ensure!(i < 80, "the last one fails");
        pending().await
    };
    let three = || (0..100).filter(|i| i % 40 == 0);
    let filtered =
        timeout(HOUR, try_join_all(three().map(query))).await;
    let array = timeout(HOUR, try_join_all([0, 40, 80].map(query)));
    let array = array.await;
    Ok(json!({
        "futures": three().count(),
        "at_most": three().size_hint().1,
        "from_filter": seen(filtered.is_ok_and(|r| r.is_err())),
        "from_array": seen(array.is_ok_and(|r| r.is_err())),
    }))
}

fn seen(seen: bool) -> &'static str {
    if seen { "seen" } else { "never seen" }
}
// ANCHOR_END: join-all-size-hint

// ANCHOR: barrier-dropped-wait
/// A barrier for two. One waits, and gives up; then comes another,
/// and is alone.
async fn barrier_dropped_wait() -> anyhow::Result<Value> {
    let barrier = Barrier::new(2);
    let first = timeout(HOUR, barrier.wait()).await;
    ensure!(first.is_err(), "the first was not alone");
    let second = timeout(HOUR, barrier.wait()).await;
    let third = timeout(HOUR, barrier.wait()).await;
    Ok(json!({
        "released": second.is_ok(),
        "next_released": third.is_ok(),
    }))
}
// ANCHOR_END: barrier-dropped-wait
