//! Removes the entries of callers who have left, when the map has doubled.
//!
//! A shop asks a warehouse over one connection. Each question has a number, and its answer, in any order, the same number.
//!
//! Run it: `cargo run --bin reply-map-sweep`
//!
//! You will see some entries of callers who have left, at most as many as stated.

mod world;

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::AsyncReadExt,
    net::tcp::OwnedReadHalf,
    sync::{mpsc, oneshot},
    time::timeout,
};
use world::{Question, Warehouse, frame, parts};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let warehouse = Warehouse::open().await?;
        let line = Line::open(&warehouse).await?;
        warehouse.show(stage);
        line.callers.show(stage);
        let ask = async |question| line.ask(question).await;
        let late = || line.callers.late();
        let visit = async |n| warehouse.visit(n, ask, late).await;
        stage.load(visit).await;
        Ok((warehouse, line))
    })
}

// ANCHOR: service
/// A map with fewer entries is not swept.
const SWEEP_MIN: usize = 32;

/// One connection, for the questions of all customers.
struct Line {
    next: AtomicU32,
    /// Askers send, the writer receives; it closes with the line.
    outbox: mpsc::Sender<u64>,
    callers: Arc<Callers>,
}

/// Who waits for which reply.
#[derive(Default)]
struct Callers {
    /// `read` sends one reply, the caller receives.
    waiting: Mutex<HashMap<u32, oneshot::Sender<u32>>>,
    late: AtomicU64,
    sweep_at: AtomicUsize,
    looked_at: AtomicU64,
}

impl Line {
    async fn ask(&self, question: Question) -> Result<u32> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.callers.enter(id);
        self.outbox.send(frame(id, question.article)).await?;
        Ok(timeout(question.patience, answer).await??)
    }
}

impl Callers {
    fn enter(&self, id: u32) -> oneshot::Receiver<u32> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap();
        // FIX: who has left goes, when the map has doubled or sooner.
        if waiting.len() >= self.sweep_at.load(Ordering::Relaxed) {
            let looked_at = waiting.len() as u64;
            waiting.retain(|_, reply| !reply.is_closed());
            self.looked_at.fetch_add(looked_at, Ordering::Relaxed);
            let next = SWEEP_MIN.max(2 * waiting.len());
            self.sweep_at.store(next, Ordering::Relaxed);
        }
        waiting.insert(id, reply);
        answer
    }

    fn reply(&self, id: u32, stock: u32) {
        let caller = self.waiting.lock().unwrap().remove(&id);
        if caller.is_none_or(|caller| caller.send(stock).is_err()) {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Until the connection ends: then each caller gets an error.
async fn read(mut line: OwnedReadHalf, callers: Arc<Callers>) {
    while let Ok(reply) = line.read_u64().await {
        let (id, stock) = parts(reply);
        callers.reply(id, stock);
    }
    callers.waiting.lock().unwrap().clear();
}
// ANCHOR_END: service

impl Line {
    async fn open(warehouse: &Warehouse) -> Result<Self> {
        let (outbox, replies) = warehouse.call().await?;
        let callers = Arc::<Callers>::default();
        tokio::spawn(read(replies, callers.clone()));
        Ok(Self { next: AtomicU32::new(0), outbox, callers })
    }
}

impl Callers {
    /// Replies for which nobody waited.
    fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    fn show(self: &Arc<Self>, stage: &stage::Stage) {
        let (callers, late) = (self.clone(), self.clone());
        let price = self.clone();
        stage.gauge("looked_at", move || {
            price.looked_at.load(Ordering::Relaxed)
        });
        stage.gauge("waiting", move || {
            callers.waiting.lock().unwrap().len() as u64
        });
        stage
            .gauge("late", move || late.late.load(Ordering::Relaxed));
    }
}
