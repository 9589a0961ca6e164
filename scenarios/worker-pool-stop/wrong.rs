//! Drops the sender so that the queue closes, while every worker has a sender of its own.
//!
//! A ferry line quotes fares over HTTP. Every list of prices has its own pool of workers, and a new list comes now and then.
//!
//! Run it: `cargo run --bin worker-pool-stop-wrong`
//!
//! You will see eight tasks more for every list, as before.

mod desk;
mod serve;
mod world;

use std::{
    mem::replace, process::ExitCode, sync::Arc, time::Duration,
};

use async_channel::{Receiver, Sender};
use desk::{Desk, app};
use tokio::{
    select,
    sync::oneshot,
    time::{interval, timeout},
};
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
/// The reservation system has this long for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

struct Pool {
    /// Handlers send, workers receive, the last sender closes.
    jobs: Sender<Job>,
}

struct Job {
    to: usize,
    plain: bool,
    /// The worker sends one fare, the handler receives.
    reply: oneshot::Sender<String>,
    is_late: bool,
}

struct Worker {
    prices: Arc<[u64]>,
    office: Office,
    jobs: Receiver<Job>,
    /// To put a job back that took too long.
    retry: Sender<Job>,
    audit: Vec<u64>,
}

impl Pool {
    fn start(prices: Arc<[u64]>, office: &Office) -> Self {
        let (tx, rx) = async_channel::bounded(QUEUE);
        for _ in 0..WORKERS {
            let worker = Worker {
                prices: prices.clone(),
                office: office.clone(),
                jobs: rx.clone(),
                retry: tx.clone(),
                audit: Vec::new(),
            };
            tokio::spawn(worker.work());
        }
        Self { jobs: tx }
    }

    /// None when the pool is full, or stopped.
    fn ask(
        &self,
        to: usize,
        plain: bool,
    ) -> Option<oneshot::Receiver<String>> {
        let (reply, fare) = oneshot::channel();
        let job = Job { to, plain, reply, is_late: false };
        self.jobs.try_send(job).ok()?;
        Some(fare)
    }

    async fn stop(self) {
        // LEAK: this drops one sender of nine; workers own eight.
        drop(self.jobs);
    }
}

impl Worker {
    async fn work(mut self) {
        let mut flush = interval(self.office.flush());
        loop {
            select! {
                job = self.jobs.recv() => match job {
                    Ok(job) => self.quote(job).await,
                    Err(_) => return self.office.audit(&mut self.audit),
                },
                _ = flush.tick() => self.office.audit(&mut self.audit),
            }
        }
    }

    async fn quote(&mut self, mut job: Job) {
        let seats = self.office.seats(job.to);
        let Ok(seats) = timeout(PATIENCE, seats).await else {
            // Another worker may have more luck, once.
            if !replace(&mut job.is_late, true) {
                let _ = self.retry.try_send(job);
            }
            return;
        };
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
