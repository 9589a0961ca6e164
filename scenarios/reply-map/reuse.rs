//! Lets each caller hold its entry, and gives a free number to the next question.
//!
//! A shop asks a warehouse over one connection. Each question has a number, and its answer, in any order, the same number.
//!
//! Run it: `cargo run --bin reply-map-reuse`
//!
//! You will see no entry left, and a customer misled for every late reply.

mod world;

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
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
    free: Mutex<Vec<u32>>,
}

impl Line {
    async fn ask(&self, question: Question) -> Result<u32> {
        let free = self.callers.free.lock().unwrap().pop();
        let id = free.unwrap_or_else(|| {
            self.next.fetch_add(1, Ordering::Relaxed)
        });
        let (_entry, answer) = self.callers.enter(id);
        self.outbox.send(frame(id, question.article)).await?;
        Ok(timeout(question.patience, answer).await??)
    }
}

/// Held by the caller, for as long as the caller waits.
struct Entry<'a> {
    callers: &'a Callers,
    id: u32,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.callers.waiting.lock().unwrap().remove(&self.id);
        // FIX: no entry stays, but a late reply finds the next caller.
        self.callers.free.lock().unwrap().push(self.id);
    }
}

impl Callers {
    fn enter(&self, id: u32) -> (Entry<'_>, oneshot::Receiver<u32>) {
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, reply);
        (Entry { callers: self, id }, answer)
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
        stage.gauge("waiting", move || {
            callers.waiting.lock().unwrap().len() as u64
        });
        stage
            .gauge("late", move || late.late.load(Ordering::Relaxed));
    }
}
