//! The invoice mailer of a shop: it takes an invoice, answers at once, and hands it to the mail relay meanwhile.
//!
//! Run it: `cargo run --bin invoice-mailer-solution-desk`

mod world;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// The relay answers sooner than this, or not at all.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How the mails of the mailer's whole life went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) delivered: u64,
    /// The relay did not take these: the customer has moved.
    pub(crate) bounced: u64,
}

/// What the relay answered to one mail: a code, and the headers of the mail.
struct Receipt(String);

impl Summary {
    fn add(&mut self, Receipt(answer): &Receipt) {
        match answer.starts_with("550 ") {
            true => self.bounced += 1,
            false => self.delivered += 1,
        }
    }
}

/// The shop's end of the queue, and the task at the other one.
type Desk = (mpsc::Sender<u64>, JoinHandle<anyhow::Result<Summary>>);

/// Invoices that wait for the desk; it is quick.
const QUEUE: usize = 16;

/// Mails the invoices of one shop.
pub(crate) struct Mailer {
    held: Arc<AtomicUsize>,
    /// The shop sends, the desk receives, `stop` closes by dropping the sender.
    desk: Mutex<Option<Desk>>,
}

impl Mailer {
    pub(crate) fn open(relay: SocketAddr) -> Arc<Self> {
        let (invoices, queue) = mpsc::channel(QUEUE);
        let held = Arc::<AtomicUsize>::default();
        let desk = tokio::spawn(desk(relay, queue, held.clone()));
        Arc::new(Self { held, desk: Mutex::new(Some((invoices, desk))) })
    }

    /// Takes an invoice. The shop does not wait for the relay.
    pub(crate) async fn send(&self, invoice: u64) -> anyhow::Result<()> {
        let invoices = self.desk().as_ref().map(|(invoices, _)| invoices.clone());
        invoices.context("the mailer is stopped")?.send(invoice).await.context("the desk is gone")
    }

    /// Deliveries that the mailer holds: what the shop's monitoring shows.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Takes no more invoices, lets the deliveries under way end, and says how all of them went.
    pub(crate) async fn stop(&self) -> anyhow::Result<Summary> {
        let (invoices, desk) = self.desk().take().context("the mailer is stopped")?;
        drop(invoices);
        desk.await.context("the desk has panicked")?
    }

    fn desk(&self) -> MutexGuard<'_, Option<Desk>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owns the deliveries: starts each, and takes each out as soon as it has ended.
async fn desk(relay: SocketAddr, mut queue: mpsc::Receiver<u64>, held: Arc<AtomicUsize>) -> anyhow::Result<Summary> {
    let (mut deliveries, mut summary) = (JoinSet::new(), Summary::default());
    loop {
        held.store(deliveries.len(), Ordering::Relaxed);
        tokio::select! {
            Some(invoice) = queue.recv() => {
                deliveries.spawn(deliver(relay, invoice));
            }
            Some(ended) = deliveries.join_next() => {
                summary.add(&ended.context("a delivery has panicked")??);
            }
            // The queue is closed and empty, and no delivery is under way.
            else => return Ok(summary),
        }
    }
}

/// Hands one invoice to the relay.
async fn deliver(relay: SocketAddr, invoice: u64) -> anyhow::Result<Receipt> {
    let exchange = async {
        let mut stream = TcpStream::connect(relay).await.context("cannot connect")?;
        stream.write_all(format!("MAIL {invoice}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        ensure!(answer.ends_with('\n'), "the relay hung up");
        Ok(Receipt(answer))
    };
    timeout(ANSWER_MAX, exchange).await.context("the relay is too slow")?
}
