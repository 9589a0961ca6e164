//! The box office of a concert agency: it holds seats, has the customer confirm the payment, and keeps a journal of every order.
//!
//! Run it: `cargo run --bin ticket-sale-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// The hall and the journal answer sooner than this, or not at all.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Orders that are under way at the same time; the others wait.
const ORDERS_MAX: usize = 64;
/// The accountants see a step of an order this late. A call for every single step would be too many for the journal.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// More than the steps of an order, so that no order waits for its journal.
const STEPS_MAX: usize = 8;

/// What became of an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sale {
    Sold { seats: String },
    SoldOut,
}

/// Why an order ends early.
enum Refusal {
    SoldOut,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Sells the tickets of all shows.
pub(crate) struct BoxOffice {
    hall: SocketAddr,
    bank: SocketAddr,
    journal: SocketAddr,
    room: Semaphore,
    closing: CancellationToken,
    journals: TaskTracker,
}

impl BoxOffice {
    pub(crate) fn new(hall: SocketAddr, bank: SocketAddr, journal: SocketAddr) -> Arc<Self> {
        let (closing, journals) = (CancellationToken::new(), TaskTracker::new());
        Arc::new(Self { hall, bank, journal, room: Semaphore::new(ORDERS_MAX), closing, journals })
    }

    /// Sells seats for a show. The customer's page waits for the answer.
    pub(crate) async fn sell(&self, order: u64, show: &str) -> anyhow::Result<Sale> {
        let _room = self.room.acquire().await.context("the box office is closed")?;
        let steps = self.open_journal(order);
        note(&steps, "ordered").await?;

        // The customer confirms while the hall looks for seats: nobody likes to wait for the one and then for the other.
        let seats = tokio::spawn(hold(self.hall, order, show.to_owned()));
        let approval = tokio::spawn(approve(self.bank, order));
        let (seats, code) = match tokio::try_join!(joined(seats), joined(approval)) {
            Ok(both) => both,
            Err(Refusal::SoldOut) => {
                note(&steps, "sold out").await?;
                return Ok(Sale::SoldOut);
            }
            Err(Refusal::Failed(error)) => return Err(error),
        };
        charge(self.bank, order, &code).await?;
        note(&steps, "sold").await?;
        Ok(Sale::Sold { seats })
    }

    /// Lets the orders under way end and writes their journals; takes no new order.
    pub(crate) async fn stop(&self) {
        if let Ok(all) = self.room.acquire_many(ORDERS_MAX as u32).await {
            self.room.close();
            drop(all);
        }
        self.closing.cancel();
        self.journals.close();
        self.journals.wait().await;
    }

    fn open_journal(&self, order: u64) -> mpsc::Sender<&'static str> {
        // The order sends its steps, its journal receives them; closed when the order is over.
        let (tx, steps) = mpsc::channel(STEPS_MAX);
        self.journals.spawn(keep_journal(self.journal, order, steps, self.closing.clone()));
        tx
    }
}

async fn note(steps: &mpsc::Sender<&'static str>, step: &'static str) -> anyhow::Result<()> {
    steps.send(step).await.context("the journal cannot be written")
}

/// Writes the steps of an order, several at a time.
async fn keep_journal(
    journal: SocketAddr,
    order: u64,
    mut steps: mpsc::Receiver<&'static str>,
    closing: CancellationToken,
) -> anyhow::Result<()> {
    let (mut unwritten, mut flush) = (Vec::new(), interval(FLUSH_EVERY));
    loop {
        tokio::select! {
            // What was noted before the end is written.
            biased;
            Some(step) = steps.recv() => unwritten.push(step),
            () = closing.cancelled() => return write(journal, order, &mut unwritten).await,
            _ = flush.tick() => write(journal, order, &mut unwritten).await?,
        }
    }
}

async fn write(journal: SocketAddr, order: u64, unwritten: &mut Vec<&'static str>) -> anyhow::Result<()> {
    if unwritten.is_empty() {
        return Ok(());
    }
    let line = format!("WRITE {order} {}", std::mem::take(unwritten).join(","));
    let answer = timeout(ANSWER_MAX, ask(journal, &line)).await.context("the journal is too slow")??;
    ensure!(answer == "OK", "the journal said {answer:?}");
    Ok(())
}

/// The hall holds seats for some minutes, and then gives them to somebody else unless they were paid for.
async fn hold(hall: SocketAddr, order: u64, show: String) -> Result<String, Refusal> {
    let question = format!("HOLD {order} {show}");
    let answer = timeout(ANSWER_MAX, ask(hall, &question)).await.context("the hall is too slow")??;
    match answer.strip_prefix("SEATS ") {
        Some(seats) => Ok(seats.to_owned()),
        None if answer == "SOLD OUT" => Err(Refusal::SoldOut),
        None => Err(Refusal::Failed(anyhow::anyhow!("the hall said {answer:?}"))),
    }
}

/// The bank asks the customer in its app, and answers when the customer has: how long that takes is for the customer to say. The bank
/// takes the question back when its line is closed.
async fn approve(bank: SocketAddr, order: u64) -> Result<String, Refusal> {
    let answer = ask(bank, &format!("APPROVE {order}")).await?;
    let code = answer.strip_prefix("APPROVED ").with_context(|| format!("the bank said {answer:?}"))?;
    Ok(code.to_owned())
}

async fn charge(bank: SocketAddr, order: u64, code: &str) -> anyhow::Result<()> {
    let question = format!("CHARGE {order} {code}");
    match timeout(ANSWER_MAX, ask(bank, &question)).await.context("the bank is too slow")??.as_str() {
        "PAID" => Ok(()),
        answer => bail!("the bank said {answer:?}"),
    }
}

/// What a task returns. Its panic is an error of the order.
async fn joined<T>(task: JoinHandle<Result<T, Refusal>>) -> Result<T, Refusal> {
    task.await.unwrap_or_else(|error| Err(Refusal::Failed(error.into())))
}

/// One question, over a connection of its own.
async fn ask(peer: SocketAddr, question: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(peer).await.context("cannot connect")?;
    stream.write_all(format!("{question}\n").as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    ensure!(answer.ends_with('\n'), "no answer to {question:?}");
    Ok(answer.trim_end().to_owned())
}
