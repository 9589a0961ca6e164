//! Keeps the sender; a worker that gets no row for half a second ends by itself.
//!
//! Run it: `cargo run --bin unclosed-pipe-idle`
//!
//! You will see the idle workers of half a second pile up, and all of them end.

mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::timeout,
};
use world::{FILE_ROWS, Row, WORKERS, file, forgotten, store};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let desk = Arc::new(Desk::default());
        let (rows, workers) = (desk.clone(), desk.clone());
        stage.gauge("rows_stored", move || rows.stored());
        stage.gauge("workers_started", move || workers.started());
        stage.load(async |_customer| desk.visit().await).await;
        Ok(desk)
    })
}

// ANCHOR: service
/// The import desk: one job a file, for the progress page.
#[derive(Default)]
struct Desk {
    jobs: Mutex<Vec<Job>>,
    workers_started: AtomicU64,
}

/// Counts the rows that are stored; the progress page watches.
type Stored = watch::Sender<usize>;

#[derive(Clone)]
struct Job {
    stored: Stored,
    /// A customer may send a forgotten row later.
    rows: mpsc::Sender<Row>,
}

impl Desk {
    async fn import(&self, file: Vec<Row>) -> Result<Job> {
        let stored = watch::Sender::new(0);
        let rows = self.start_workers(&stored);
        let job = Job { stored, rows: rows.clone() };
        self.jobs.lock().unwrap().push(job.clone());
        for row in file {
            rows.send(row).await?;
        }
        Ok(job)
    }

    async fn add(&self, job: &Job, row: Row) -> Result<()> {
        if job.rows.send(row).await.is_err() {
            self.start_workers(&job.stored).send(row).await?;
        }
        Ok(())
    }

    /// Imports and late rows send, the workers receive; the queue
    /// ends when its last sender is dropped.
    fn start_workers(&self, stored: &Stored) -> mpsc::Sender<Row> {
        let (tx, rx) = mpsc::channel(4);
        let queue = Arc::new(AsyncMutex::new(rx));
        for _ in 0..WORKERS {
            tokio::spawn(work(queue.clone(), stored.clone()));
            self.workers_started.fetch_add(1, Ordering::Relaxed);
        }
        tx
    }
}

/// Longer than any pause within an import. A guess, always.
const IDLE: Duration = Duration::from_millis(500);

type Queue = Arc<AsyncMutex<mpsc::Receiver<Row>>>;

async fn work(queue: Queue, stored: Stored) {
    while let Some(row) = next(&queue).await {
        // A real service would keep the row that failed.
        if store(row).await.is_ok() {
            stored.send_modify(|count| *count += 1);
        }
    }
}

/// Not part of the loop's head: that would hold the lock while
/// the row is stored.
async fn next(queue: &Queue) -> Option<Row> {
    // FIX: nobody has to end the queue; the wait has a limit.
    timeout(IDLE, queue.lock().await.recv()).await.ok().flatten()
}
// ANCHOR_END: service

impl Desk {
    /// What a customer does: a file, and then a forgotten row.
    async fn visit(&self) -> Result<()> {
        let job = self.import(file()).await?;
        let mut stored = job.stored.subscribe();
        stored.wait_for(|count| *count == FILE_ROWS).await?;
        self.add(&job, forgotten()).await?;
        stored.wait_for(|count| *count > FILE_ROWS).await?;
        Ok(())
    }

    fn stored(&self) -> u64 {
        let jobs = self.jobs.lock().unwrap();
        jobs.iter().map(|job| *job.stored.borrow() as u64).sum()
    }

    fn started(&self) -> u64 {
        self.workers_started.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn an_import_leaves_no_worker_behind() {
        let desk = Desk::default();
        // The clock stands still, and workers give up in turn.
        let turns = IDLE * 6;
        let imports = leakcheck::scope().horizon(turns);
        for _ in 0..20 {
            desk.visit().await.unwrap();
        }
        // The desk lives on, and only the imports are over.
        imports.assert().await;
        assert_eq!(desk.stored(), 20 * (FILE_ROWS as u64 + 1));
    }
    // ANCHOR_END: guard
}
