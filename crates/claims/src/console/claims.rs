//! What the console shows, against the truth.

use std::time::Duration;

use ::claims::{Claim, rounded};
use anyhow::Context;
use serde_json::{Value, json};
use stage::console::RETENTION;
use tokio::time::{Instant, sleep};

use crate::{
    puppet::{Console, Puppet},
    watcher::{LONG, Limit, Watcher},
};

pub(crate) const CLAIMS: &[Claim] = &[
    noisy(
        "parked-task-memory",
        "a parked task weighs far more under the console than bare",
        || block_on(parked_task_memory()),
    ),
    noisy(
        "burst-stock",
        "the stock server shows a burst of spawns a few tasks a tick",
        || block_on(burst_stock()),
    ),
    steady(
        "burst-stage",
        "the workbook's server shows all of it, and loses nothing",
        || block_on(burst_stage()),
    ),
    steady(
        "late-attach",
        "who attaches too late to many tasks sees none, and no error",
        || block_on(late_attach()),
    ),
    steady(
        "late-attach-alone",
        "the first client of all, that late, gets an error instead",
        || block_on(late_attach_alone()),
    ),
    noisy(
        "finished-rows",
        "tasks that have ended stay rows until retention is over",
        || block_on(finished_rows()),
    ),
    steady(
        "pause-for-all",
        "who pauses the console pauses it for every client",
        || block_on(pause_for_all()),
    ),
    steady(
        "waits",
        "the console names the wait of some parked tasks, not of all",
        || block_on(waits()),
    ),
];

/// The server that is measured among them: it is the stage's own.
const FILES: &[&str] = &[
    "crates/claims/src/claim.rs",
    "crates/claims/src/console/puppet.rs",
    "crates/claims/src/console/watcher.rs",
    "crates/claims/src/console/zoo.rs",
    "crates/stage/src/console.rs",
];
const CRATES: &[&str] = &[
    "console-api",
    "console-subscriber",
    "tokio",
    "tokio-util",
    "tonic",
];

const fn steady(
    name: &'static str,
    says: &'static str,
    run: fn() -> anyhow::Result<Value>,
) -> Claim {
    Claim::steady(name, says, run).made_by(FILES, CRATES)
}

const fn noisy(
    name: &'static str,
    says: &'static str,
    run: fn() -> anyhow::Result<Value>,
) -> Claim {
    Claim::noisy(name, says, run).made_by(FILES, CRATES)
}

/// Waits to see that nothing comes: several ticks of the server.
const SHORT: Duration = Duration::from_secs(3);

fn block_on(
    claim: impl Future<Output = anyhow::Result<Value>>,
) -> anyhow::Result<Value> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build()?.block_on(claim)
}

// ANCHOR: parked-task-memory
async fn parked_task_memory() -> anyhow::Result<Value> {
    Ok(json!({
        "bytes_bare": bytes_per_task(Console::Bare, 50_000).await?,
        "bytes_stock": bytes_per_task(Console::Stock, 4_000).await?,
        "bytes_stage": bytes_per_task(Console::Stage, 4_000).await?,
    }))
}

/// Resident memory of the process, before and after `n` tasks.
async fn bytes_per_task(
    console: Console,
    n: u64,
) -> anyhow::Result<u64> {
    let mut puppet = Puppet::start(console)?;
    let rss = |seen: Value| seen["rss_bytes"].as_u64().unwrap_or(0);
    let before = rss(puppet.tell("park", 0)?);
    puppet.tell("park", n as usize)?;
    sleep(SHORT).await; // The server takes the events in.
    let after = rss(puppet.tell("park", 0)?);
    Ok(rounded((after - before) / n))
}
// ANCHOR_END: parked-task-memory

/// 10,000 tasks at once in a puppet, seen by a client that was there
/// before.
async fn burst(
    puppet: &mut Puppet,
    limit: Duration,
) -> anyhow::Result<(Value, Watcher)> {
    let mut watcher =
        Watcher::attach(&puppet.addr, Limit::Any).await?;
    let alive = puppet.tell("park", 10_000)?["alive"].clone();
    watcher.until(limit, |seen| seen.live() == 10_000).await?;
    Ok((alive, watcher))
}

// ANCHOR: burst-stock
async fn burst_stock() -> anyhow::Result<Value> {
    let limit = Duration::from_secs(10);
    let mut puppet = Puppet::start(Console::Stock)?;
    let (alive, seen) = burst(&mut puppet, limit).await?;
    Ok(json!({
        "alive": alive,
        "seconds": limit.as_secs(),
        "shown": rounded(seen.live() as u64),
        "dropped_events": seen.dropped_events,
    }))
}
// ANCHOR_END: burst-stock

// ANCHOR: burst-stage
async fn burst_stage() -> anyhow::Result<Value> {
    let mut puppet = Puppet::start(Console::Stage)?;
    let (alive, mut seen) = burst(&mut puppet, SHORT).await?;
    seen.must(|seen| seen.live() == 10_000).await?;
    let histogram_max = seen.histogram_max().await?;
    Ok(json!({
        "alive": alive,
        "shown": seen.live(),
        "dropped_events": seen.dropped_events,
        "polls_each": seen.polls_max(),
        "histogram_max_us": histogram_max.as_micros() as u64,
    }))
}
// ANCHOR_END: burst-stage

// ANCHOR: late-attach
async fn late_attach() -> anyhow::Result<Value> {
    let mut puppet = Puppet::start(Console::Stage)?;
    let addr = puppet.addr.clone();
    let mut first = Watcher::attach(&addr, Limit::Any).await?;
    let few = puppet.tell("park", 8_000)?["alive"].clone();
    first.must(|seen| seen.live() == 8_000).await?;
    let mut in_time = Watcher::attach(&addr, Limit::Tui).await?;
    in_time.must(|seen| seen.live() == 8_000).await?;

    let many = puppet.tell("park", 4_000)?["alive"].clone();
    first.must(|seen| seen.live() == 12_000).await?;
    let mut late = Watcher::attach(&addr, Limit::Tui).await?;
    late.until(SHORT, |seen| seen.live() > 0).await?;
    Ok(json!({
        "few": few, "few_shown_to_late_client": in_time.live(),
        "many": many, "many_shown_to_first_client": first.live(),
        "many_shown_to_late_client": late.live(),
        "late_client_error": late.ended,
    }))
}
// ANCHOR_END: late-attach

// ANCHOR: late-attach-alone
async fn late_attach_alone() -> anyhow::Result<Value> {
    let mut puppet = Puppet::start(Console::Stage)?;
    let parking = Instant::now();
    let alive = puppet.tell("park", 12_000)?["alive"].clone();
    // The server knows all of them now, also on a busy machine.
    sleep(SHORT.max(parking.elapsed() * 3)).await;
    let mut late = Watcher::attach(&puppet.addr, Limit::Tui).await?;
    late.must(|seen| seen.live() > 0).await?;
    Ok(json!({
        "alive": alive,
        "shown": late.live(),
        "error": late.ended,
    }))
}
// ANCHOR_END: late-attach-alone

// ANCHOR: finished-rows
async fn finished_rows() -> anyhow::Result<Value> {
    let mut puppet = Puppet::start(Console::Stage)?;
    let started = Instant::now();
    let alive = puppet.tell("end", 100)?["alive"].clone();
    let mut seen = Watcher::attach(&puppet.addr, Limit::Tui).await?;
    seen.must(|seen| seen.rows() == 100 && seen.live() == 0).await?;
    let (rows, live) = (seen.rows(), seen.live());
    // No update says that a row is gone: who comes anew is told none.
    let mut later = rows;
    while later > 0 && started.elapsed() < RETENTION + LONG {
        sleep(Duration::from_millis(100)).await;
        let mut new =
            Watcher::attach(&puppet.addr, Limit::Tui).await?;
        new.must(|seen| seen.updates > 0).await?;
        later = new.rows();
    }
    Ok(json!({
        "alive": alive, "rows": rows, "live_rows": live,
        "rows_after_retention": later,
        "retention_seconds": started.elapsed().as_secs(),
    }))
}
// ANCHOR_END: finished-rows

// ANCHOR: pause-for-all
async fn pause_for_all() -> anyhow::Result<Value> {
    let mut puppet = Puppet::start(Console::Stage)?;
    let mut seen = Watcher::attach(&puppet.addr, Limit::Tui).await?;
    let mut other = Watcher::attach(&puppet.addr, Limit::Tui).await?;
    puppet.tell("park", 10)?;
    seen.must(|seen| seen.live() == 10).await?;
    other.pause().await?;
    let alive = puppet.tell("park", 10)?["alive"].clone();
    seen.until(SHORT, |seen| seen.live() == 20).await?;
    let paused = seen.live();
    drop(other);
    seen.until(SHORT, |seen| seen.live() == 20).await?;
    let after_it_left = seen.live();
    seen.resume().await?;
    seen.must(|seen| seen.live() == 20).await?;
    Ok(json!({
        "alive": alive, "shown_while_paused": paused,
        "shown_after_other_left": after_it_left,
        "shown_after_resume": seen.live(),
    }))
}
// ANCHOR_END: pause-for-all

// ANCHOR: waits
async fn waits() -> anyhow::Result<Value> {
    let mut puppet = Puppet::start(Console::Stage)?;
    let mut seen = Watcher::attach(&puppet.addr, Limit::Tui).await?;
    let zoo = puppet.tell("zoo", 1)?;
    let zoo = zoo.as_object().context("no zoo")?;
    seen.must(|seen| seen.live() >= zoo.len()).await?;
    // What can be named is named within a few ticks.
    seen.until(SHORT, |_| false).await?;
    let named = seen.waits();
    let shown = |id: &Value| {
        let name = named.get(id.as_str().unwrap_or_default());
        // A bar would end a cell in the book's table.
        let name = name.map(|name| name.replace('|', " or "));
        name.unwrap_or_else(|| "nothing".into())
    };
    Ok(zoo
        .iter()
        .map(|(wait, id)| (wait.clone(), Value::from(shown(id))))
        .collect())
}
// ANCHOR_END: waits
