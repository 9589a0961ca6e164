//! Claims about waiting for several: `try_join_all` and `Barrier`.

use std::{future::pending, panic::resume_unwind, time::Duration};

use anyhow::{Context, anyhow, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::{sync::Barrier, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::claim::{Claim, paused, word};

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
    Claim::steady(
        "joined-error",
        "timeout, join and the task have an error each, and only a third question mark passes on the task's",
        || paused(joined_error()),
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

// ANCHOR: joined-error
/// Waits for a task as `closed-too-early` does: for one that ends in
/// time, is late, panics, and returns an error.
async fn joined_error() -> anyhow::Result<Value> {
    let fails = || async { Err(anyhow!("disk full")) };
    let panics = async { resume_unwind(Box::new("bug")) };
    Ok(json!({
        "ends_in_time": word(&two(async { Ok(()) }).await),
        "late": word(&two(pending()).await),
        "panics": word(&two(panics).await),
        "returns_an_error": word(&two(fails()).await),
        "with_a_third": word(&three(fails()).await),
    }))
}

async fn two(work: impl Work) -> anyhow::Result<()> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    let ended = timeout(HOUR, task).await;
    #[expect(unused_must_use, reason = "the compiler warns: here")]
    {
        ended.context("it is late")??;
    }
    Ok(())
}

async fn three(work: impl Work) -> anyhow::Result<()> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    let ended = timeout(HOUR, task).await;
    ended.context("it is late")???;
    Ok(())
}

trait Work: Future<Output = anyhow::Result<()>> + Send + 'static {}
impl<W> Work for W where
    W: Future<Output = anyhow::Result<()>> + Send + 'static
{
}
// ANCHOR_END: joined-error
