//! Stops a pool by cancelling the token that its workers wait for, as the Go original was mended.
//!
//! A ferry line quotes fares over HTTP. Every list of prices has its own pool of workers, and a new list comes now and then.
//!
//! Run it: `cargo run --bin worker-pool-stop-done`
//!
//! You will see eight tasks, and four passengers without a fare for every new list: those who waited in the queue.

mod desk;
mod serve;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use async_channel::{Receiver, Sender};
use desk::{Desk, app};
use tokio::{
    select,
    sync::oneshot,
    time::{interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use world::{Office, WORKERS};

fn main() -> ExitCode {
    if let Some(at) = serve::asked() {
        return serve::run(&at, async || app(Desk::open()));
    }
    stage::run(stage::scenario!(), async |stage| {
        let desk = Desk::open();
        desk.office.show(stage);
        let unit = async |n| {
            let ask = async |to| desk.ask(to, false).await.is_some();
            desk.office.change(ask, desk.new_prices(n)).await
        };
        stage.load(unit).await;
        Ok(desk)
    })
}

// ANCHOR: service
/// Passengers who may wait for one pool.
const QUEUE: usize = 2_000;
/// Whoever waits for the workers of a stopped pool has this long.
const STOP_MAX: Duration = Duration::from_secs(10);

struct Pool {
    /// Handlers send, workers receive, `stop` closes.
    jobs: Sender<Job>,
    /// `stop` cancels, or the end of the service. Workers wait.
    done: CancellationToken,
    workers: TaskTracker,
}

struct Job {
    to: usize,
    plain: bool,
    /// The worker sends one fare, the handler receives.
    reply: oneshot::Sender<String>,
}

struct Worker {
    prices: Arc<[u64]>,
    office: Office,
    jobs: Receiver<Job>,
    done: CancellationToken,
    audit: Vec<u64>,
}

impl Pool {
    fn start(prices: Arc<[u64]>, office: &Office) -> Self {
        let (tx, rx) = async_channel::bounded(QUEUE);
        let done = office.closing().child_token();
        let workers = TaskTracker::new();
        for _ in 0..WORKERS {
            let worker = Worker {
                prices: prices.clone(),
                office: office.clone(),
                jobs: rx.clone(),
                done: done.clone(),
                audit: Vec::new(),
            };
            workers.spawn(worker.work());
        }
        Self { jobs: tx, done, workers }
    }

    /// None when the pool is full, or stopped.
    fn ask(
        &self,
        to: usize,
        plain: bool,
    ) -> Option<oneshot::Receiver<String>> {
        let (reply, fare) = oneshot::channel();
        self.jobs.try_send(Job { to, plain, reply }).ok()?;
        Some(fare)
    }

    async fn stop(self) {
        // FIX: this is the signal that the workers wait for.
        self.done.cancel();
        self.workers.close();
        let _ = timeout(STOP_MAX, self.workers.wait()).await;
    }
}

impl Worker {
    async fn work(mut self) {
        let mut flush = interval(self.office.flush());
        loop {
            select! {
                biased;
                () = self.done.cancelled() => break,
                Ok(job) = self.jobs.recv() => self.quote(job).await,
                _ = flush.tick() => self.office.audit(&mut self.audit),
            }
        }
        self.office.audit(&mut self.audit);
    }

    async fn quote(&mut self, job: Job) {
        let seats = self.office.seats(job.to).await;
        let price = self.prices[job.to % self.prices.len()];
        let mut fare = format!("{price} cents, {seats} free");
        if !job.plain {
            let later = self.office.seats_later(job.to).await;
            fare += &format!("; next ship: {later}");
        }
        self.audit.push(price);
        // A passenger who has left needs no fare.
        let _ = job.reply.send(fare);
    }
}
// ANCHOR_END: service
