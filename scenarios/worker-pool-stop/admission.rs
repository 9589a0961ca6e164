//! The fixed pool with admission control in front: optional work is left out at many live tasks, and a token bucket refuses.
//!
//! A ferry line quotes fares over HTTP. Every list of prices has its own pool of workers, and a new list comes now and then.
//!
//! Run it: `cargo run --bin worker-pool-stop-admission`
//!
//! You will see the counts of the fix. Its use is seen under load: `cargo bench --bench worker-pool-stop`.

mod admit;
mod desk;
mod serve;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use admit::{Admission, Admitted, behind_a_door};
use async_channel::{Receiver, Sender};
use desk::{Desk, app};
use tokio::{
    select,
    sync::oneshot,
    task::JoinSet,
    time::{interval, timeout},
};
use world::{Office, WORKERS};

fn main() -> ExitCode {
    if let Some(at) = serve::asked() {
        return serve::run(&at, async || {
            behind_a_door(app(Desk::open()), Admission::start())
        });
    }
    stage::run(stage::scenario!(), async |stage| {
        let desk = Desk::open();
        let admission = Admission::start();
        desk.office.show(stage);
        let unit = async |n| {
            let ask = async |to| match admission.admit() {
                Some(Admitted::Whole) => {
                    desk.ask(to, false).await.is_some()
                }
                Some(Admitted::Plain) => {
                    desk.ask(to, true).await.is_some()
                }
                None => false,
            };
            desk.office.change(ask, desk.new_prices(n)).await
        };
        stage.load(unit).await;
        Ok((desk, admission))
    })
}

// ANCHOR: service
/// Passengers who may wait for one pool.
const QUEUE: usize = 2_000;
/// A stopped pool may serve those who wait for so long.
const STOP_MAX: Duration = Duration::from_secs(10);

struct Pool {
    /// Handlers send, workers receive, `stop` closes.
    jobs: Sender<Job>,
    workers: JoinSet<()>,
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
    audit: Vec<u64>,
}

impl Pool {
    fn start(prices: Arc<[u64]>, office: &Office) -> Self {
        let (tx, rx) = async_channel::bounded(QUEUE);
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let worker = Worker {
                prices: prices.clone(),
                office: office.clone(),
                jobs: rx.clone(),
                audit: Vec::new(),
            };
            workers.spawn(worker.work());
        }
        Self { jobs: tx, workers }
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

    async fn stop(mut self) {
        self.jobs.close();
        let all = async {
            while self.workers.join_next().await.is_some() {}
        };
        // Those who are late are aborted with the set.
        let _ = timeout(STOP_MAX, all).await;
    }
}

impl Worker {
    async fn work(mut self) {
        let mut flush = interval(self.office.flush());
        loop {
            select! {
                job = self.jobs.recv() => match job {
                    Ok(job) => self.quote(job).await,
                    // FIX: a closed queue, once empty, is the end.
                    Err(_) => return self.office.audit(&mut self.audit),
                },
                _ = flush.tick() => self.office.audit(&mut self.audit),
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
