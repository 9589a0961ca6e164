//! Keeps the sender, and sends one last `None`, which says: no more rows.
//!
//! Run it: `cargo run --bin unclosed-pipe-wrong`
//!
//! You will see three tasks more after every import: one worker of four has ended.

mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
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
    rows: mpsc::Sender<Option<Row>>,
}

impl Desk {
    async fn import(&self, file: Vec<Row>) -> Result<Job> {
        let stored = watch::Sender::new(0);
        let rows = self.start_workers(&stored);
        let job = Job { stored, rows: rows.clone() };
        self.jobs.lock().unwrap().push(job.clone());
        for row in file {
            rows.send(Some(row)).await?;
        }
        // LEAK: one worker takes this `None`; three go on waiting.
        rows.send(None).await?;
        Ok(job)
    }

    async fn add(&self, job: &Job, row: Row) -> Result<()> {
        job.rows.send(Some(row)).await?;
        Ok(())
    }

    /// Imports and late rows send, the workers receive; the queue
    /// ends when its last sender is dropped.
    fn start_workers(
        &self,
        stored: &Stored,
    ) -> mpsc::Sender<Option<Row>> {
        let (tx, rx) = mpsc::channel(4);
        let queue = Arc::new(AsyncMutex::new(rx));
        for _ in 0..WORKERS {
            tokio::spawn(work(queue.clone(), stored.clone()));
            self.workers_started.fetch_add(1, Ordering::Relaxed);
        }
        tx
    }
}

type Queue = Arc<AsyncMutex<mpsc::Receiver<Option<Row>>>>;

async fn work(queue: Queue, stored: Stored) {
    while let Some(Some(row)) = next(&queue).await {
        // A real service would keep the row that failed.
        if store(row).await.is_ok() {
            stored.send_modify(|count| *count += 1);
        }
    }
}

/// Not part of the loop's head: that would hold the lock while
/// the row is stored.
async fn next(queue: &Queue) -> Option<Option<Row>> {
    queue.lock().await.recv().await
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
    #[should_panic(
        expected = "60 tasks spawned at scenarios/unclosed-pipe/wrong.rs"
    )]
    async fn an_import_leaves_no_worker_behind() {
        let desk = Desk::default();
        let imports = leakcheck::scope();
        for _ in 0..20 {
            desk.visit().await.unwrap();
        }
        // The desk lives on, and only the imports are over.
        imports.assert().await;
        assert_eq!(desk.stored(), 20 * (FILE_ROWS as u64 + 1));
    }
    // ANCHOR_END: guard
}
