//! Wakes all waiting workers with `notify_waiters`, and a worker that is busy is not waiting.
//!
//! A ferry line quotes fares over HTTP. Every list of prices has its own pool of workers, and a new list comes now and then.
//!
//! Run it: `cargo run --bin worker-pool-stop-wrong-notify`
//!
//! You will see eight tasks more for every list: each comes while all eight workers are at work.

mod desk;
mod serve;
mod world;

use std::{process::ExitCode, sync::Arc};

use async_channel::{Receiver, Sender};
use desk::{Desk, app};
use tokio::{
    select,
    sync::{Notify, oneshot},
    time::interval,
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

struct Pool {
    /// Handlers send, workers receive, `stop` closes.
    jobs: Sender<Job>,
    done: Arc<Notify>,
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
    done: Arc<Notify>,
    audit: Vec<u64>,
}

impl Pool {
    fn start(prices: Arc<[u64]>, office: &Office) -> Self {
        let (tx, rx) = async_channel::bounded(QUEUE);
        let done = Arc::new(Notify::new());
        for _ in 0..WORKERS {
            let worker = Worker {
                prices: prices.clone(),
                office: office.clone(),
                jobs: rx.clone(),
                done: done.clone(),
                audit: Vec::new(),
            };
            tokio::spawn(worker.work());
        }
        Self { jobs: tx, done }
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
        self.jobs.close();
        // LEAK: this wakes who waits; workers at work do not.
        self.done.notify_waiters();
    }
}

impl Worker {
    async fn work(mut self) {
        let mut flush = interval(self.office.flush());
        loop {
            select! {
                Ok(job) = self.jobs.recv() => self.quote(job).await,
                _ = flush.tick() => self.office.audit(&mut self.audit),
                () = self.done.notified() => return,
            }
        }
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
