//! Stops a pool by closing its queue, while its workers wait for another signal.
//!
//! A ferry line quotes fares over HTTP. Every list of prices has its own pool of workers, and a new list comes now and then.
//!
//! Run it: `cargo run --bin worker-pool-stop-leak`
//!
//! You will see eight tasks more after every new list, though the queue of its pool is closed and empty. With
//! `serve 127.0.0.1:8080` it is a service: `curl -X PUT -d 700 http://127.0.0.1:8080/prices` sends a new list.

mod desk;
mod serve;
mod world;

use std::{process::ExitCode, sync::Arc};

use async_channel::{Receiver, Sender};
use desk::{Desk, app};
use tokio::{select, sync::oneshot, time::interval};
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
        for _ in 0..WORKERS {
            let worker = Worker {
                prices: prices.clone(),
                office: office.clone(),
                jobs: rx.clone(),
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
        self.jobs.try_send(Job { to, plain, reply }).ok()?;
        Some(fare)
    }

    async fn stop(self) {
        // LEAK: the workers wait for the end of the service.
        self.jobs.close();
    }
}

impl Worker {
    async fn work(mut self) {
        let mut flush = interval(self.office.flush());
        loop {
            select! {
                Ok(job) = self.jobs.recv() => self.quote(job).await,
                _ = flush.tick() => self.office.audit(&mut self.audit),
                () = self.office.closing().cancelled() => return,
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

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    #[should_panic(
        expected = "160 tasks spawned at scenarios/worker-pool-stop/leak.rs"
    )]
    async fn a_stopped_pool_leaves_no_worker_behind() {
        let office = Office::default();
        let pools = leakcheck::scope();
        for cents in 0..20 {
            let pool = Pool::start(world::prices(cents), &office);
            let fare = pool.ask(7, false).unwrap();
            assert!(fare.await.is_ok());
            pool.stop().await;
        }
        // The service goes on. Only these pools are stopped.
        pools.assert().await;
    }
    // ANCHOR_END: guard

    /// So a test that starts and stops all is green.
    #[leakcheck::test(start_paused = true)]
    async fn the_end_of_the_service_ends_every_worker() {
        let service = leakcheck::scope();
        let desk = Desk::open();
        for cents in 0..20 {
            desk.new_prices(cents).await;
        }
        drop(desk);
        service.assert().await;
    }
}
