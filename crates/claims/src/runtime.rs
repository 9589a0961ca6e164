//! Claims about the runtime: what makes a task run, for how long, and
//! what holds all of them up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, mpsc},
    task::unconstrained,
};

use crate::claim::{Claim, counted, paused, rounded, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "waker",
        "a parked task is polled again only when its waker was called",
        || paused(waker()),
    ),
    Claim::steady(
        "cooperative-budget",
        "a task whose receives are all ready must let others run after some of them",
        || paused(cooperative_budget()),
    ),
    Claim::noisy(
        "blocked-worker",
        "two tasks that block two workers hold up every other task and timer",
        blocked_worker,
    ),
    Claim::noisy(
        "runtime-drop-waits",
        "dropping a runtime waits for a blocking closure that has started",
        runtime_drop_waits,
    ),
];

// ANCHOR: waker
/// A task waits, while another runs a hundred times.
async fn waker() -> anyhow::Result<Value> {
    let (news, polls) = (Arc::new(Notify::new()), Arc::default());
    let waits = news.clone();
    tokio::spawn(counted(&polls, async move {
        waits.notified().await;
    }));
    for _ in 0..100 {
        tokio::spawn(tokio::task::yield_now()).await?;
    }
    settle().await;
    let parked = polls.load(SeqCst);
    news.notify_one(); // It calls the waker.
    settle().await;
    Ok(json!({
        "polls_parked": parked,
        "polls_after_wake": polls.load(SeqCst),
    }))
}
// ANCHOR_END: waker

// ANCHOR: cooperative-budget
/// A thousand items are in the queue. How many does a task take
/// before the next task gets its turn?
async fn cooperative_budget() -> anyhow::Result<Value> {
    let (items, taken) = thousand();
    tokio::spawn(take_all(items, taken.clone()));
    let next = async move { taken.load(SeqCst) };
    let turns = tokio::spawn(next).await?;

    let (items, taken) = thousand();
    tokio::spawn(unconstrained(take_all(items, taken.clone())));
    let next = async move { taken.load(SeqCst) };
    Ok(json!({
        "turns_before_yield": turns,
        "turns_unconstrained": tokio::spawn(next).await?,
    }))
}

async fn take_all(
    mut items: mpsc::Receiver<()>,
    taken: Arc<AtomicUsize>,
) {
    while items.recv().await.is_some() {
        taken.fetch_add(1, SeqCst);
    }
}

fn thousand() -> (mpsc::Receiver<()>, Arc<AtomicUsize>) {
    let (tx, items) = mpsc::channel(1000);
    while tx.try_send(()).is_ok() {}
    (items, Arc::default())
}
// ANCHOR_END: cooperative-budget

// ANCHOR: blocked-worker
/// Two workers, and two tasks that block them. Behind these wait a
/// task that does nothing, and one with a timer.
fn blocked_worker() -> anyhow::Result<Value> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    let ((starts, started), mut finish) = (channel(), Vec::new());
    for _ in 0..2 {
        let (tell, told) = channel::<()>();
        finish.push(tell);
        let starts = starts.clone();
        runtime.spawn(async move {
            let _ = starts.send(());
            let _ = told.recv(); // Blocks: it is no `await`.
        });
    }
    for _ in 0..2 {
        started.recv_timeout(Duration::from_secs(10))?;
    }
    let blocked = Instant::now();
    let empty = runtime.spawn(async move { blocked.elapsed() });
    let after = Duration::from_millis(10);
    let timer = runtime.spawn(async move {
        tokio::time::sleep(after).await;
        blocked.elapsed()
    });
    thread::sleep(BLOCKED);
    let blocked = blocked.elapsed();
    drop(finish);
    let (empty, timer) = runtime.block_on(async {
        anyhow::Ok((empty.await?, timer.await?))
    })?;
    Ok(json!({
        "blocked_ms": millis(blocked),
        "empty_task_late_ms": millis(empty),
        "timer_late_ms": millis(timer.saturating_sub(after)),
    }))
}
// ANCHOR_END: blocked-worker

/// Long beside what a machine needs to switch threads.
const BLOCKED: Duration = Duration::from_millis(500);

fn millis(time: Duration) -> u64 {
    rounded(time.as_millis() as u64)
}

// ANCHOR: runtime-drop-waits
/// A closure has started when its runtime is dropped; and when
/// another one is shut down with a limit.
fn runtime_drop_waits() -> anyhow::Result<Value> {
    let runtime = with_closure()?;
    let began = Instant::now();
    drop(runtime);
    let drop_waited = began.elapsed();

    let runtime = with_closure()?;
    let began = Instant::now();
    runtime.shutdown_timeout(BLOCKED / 10);
    let shutdown_waited = began.elapsed();
    Ok(json!({
        "closure_ms": millis(BLOCKED),
        "drop_waited_ms": millis(drop_waited),
        "shutdown_timeout_waited_ms": millis(shutdown_waited),
    }))
}

fn with_closure() -> anyhow::Result<Runtime> {
    let runtime = Builder::new_current_thread().build()?;
    let (starts, started) = channel();
    runtime.spawn_blocking(move || {
        let _ = starts.send(());
        thread::sleep(BLOCKED);
    });
    started.recv()?;
    Ok(runtime)
}
// ANCHOR_END: runtime-drop-waits
