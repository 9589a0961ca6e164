//! Claims about a service that nobody has read before: what each of
//! its four exits leaves behind.

use std::{
    collections::HashSet,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use serde_json::{Map, Value, json};
use tokio::{
    sync::{Semaphore, watch},
    time::{interval, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::claim::{Claim, alive, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "exits-by-hand",
        "what the last lines of a function give back is lost on every other exit",
        || paused(exits(by_hand)),
    ),
    Claim::steady(
        "exits-by-guard",
        "what a guard gives back is given back on every exit",
        || paused(exits(by_guard)),
    ),
];

const PERMITS: usize = 20;
/// Requests that leave by each exit.
const REQUESTS: u32 = 4;

/// How a request ends.
#[derive(Clone, Copy)]
enum Exit {
    Answer,
    Error,
    Deadline,
    Panic,
}

/// What lives longer than a request.
#[derive(Clone)]
struct Service {
    permits: Arc<Semaphore>,
    /// The reports that are being made, for the status page.
    running: Arc<Mutex<HashSet<u32>>>,
}

// ANCHOR: exits-by-hand
async fn by_hand(
    service: Service,
    id: u32,
    exit: Exit,
) -> anyhow::Result<()> {
    service.permits.acquire().await?.forget();
    service.running().insert(id);
    let (steps, seen) = watch::channel(0);
    tokio::spawn(show_progress(seen));
    let heartbeat = tokio::spawn(heartbeat(id));

    make_report(&steps, exit).await?;

    heartbeat.abort();
    service.running().remove(&id);
    service.permits.add_permits(1);
    Ok(())
}

/// Ends when the sender of the steps is dropped.
async fn show_progress(mut seen: watch::Receiver<u32>) {
    while seen.changed().await.is_ok() {}
}

/// Tells the scheduler that the report is still being made.
async fn heartbeat(_id: u32) {
    let mut every_second = interval(Duration::from_secs(1));
    loop {
        every_second.tick().await;
    }
}
// ANCHOR_END: exits-by-hand

// ANCHOR: exits-by-guard
async fn by_guard(
    service: Service,
    id: u32,
    exit: Exit,
) -> anyhow::Result<()> {
    let _permit = service.permits.acquire().await?;
    let _row = Row::new(&service, id);
    let (steps, seen) = watch::channel(0);
    tokio::spawn(show_progress(seen));
    let _heartbeat =
        AbortOnDropHandle::new(tokio::spawn(heartbeat(id)));

    make_report(&steps, exit).await
}

/// One row of the status page.
struct Row<'a> {
    service: &'a Service,
    id: u32,
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        self.service.running().remove(&self.id);
    }
}
// ANCHOR_END: exits-by-guard

impl<'a> Row<'a> {
    fn new(service: &'a Service, id: u32) -> Self {
        service.running().insert(id);
        Self { service, id }
    }
}

impl Service {
    fn running(&self) -> std::sync::MutexGuard<'_, HashSet<u32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn make_report(
    steps: &watch::Sender<u32>,
    exit: Exit,
) -> anyhow::Result<()> {
    sleep(Duration::from_millis(10)).await;
    steps.send_replace(1);
    match exit {
        Exit::Answer => Ok(()),
        Exit::Error => bail!("no such customer"),
        Exit::Deadline => std::future::pending().await,
        Exit::Panic => resume_unwind(Box::new("bug")),
    }
}

/// Makes requests leave by each exit in turn, and looks at what is
/// left while the service lives.
async fn exits<F>(
    report: impl Fn(Service, u32, Exit) -> F,
) -> anyhow::Result<Value>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut seen = Map::new();
    for (name, exit) in [
        ("answer", Exit::Answer),
        ("error", Exit::Error),
        ("deadline", Exit::Deadline),
        ("panic", Exit::Panic),
    ] {
        let service = Service {
            permits: Arc::new(Semaphore::new(PERMITS)),
            running: Arc::default(),
        };
        let before = alive();
        for id in 0..REQUESTS {
            let request = report(service.clone(), id, exit);
            let limit = Duration::from_secs(1);
            // A task, as a server has one: a panic ends it alone.
            let _ = tokio::spawn(timeout(limit, request)).await;
        }
        settle().await;
        let tasks = alive() - before;
        let permits = PERMITS - service.permits.available_permits();
        let rows = service.running().len();
        for (gauge, left) in
            [("tasks", tasks), ("permits", permits), ("rows", rows)]
        {
            seen.insert(format!("{name}_{gauge}"), json!(left));
        }
    }
    seen.insert("requests".to_owned(), json!(REQUESTS));
    Ok(seen.into())
}
