//! The invoice mailer of a shop: it takes an invoice, answers at once, and hands it to the mail relay meanwhile.
//!
//! Run it: `cargo run --bin invoice-mailer-solution`

mod world;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_util::task::TaskTracker;

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

/// Mails the invoices of one shop.
pub(crate) struct Mailer {
    relay: SocketAddr,
    /// Keeps no handle, and can wait all the same.
    deliveries: TaskTracker,
    /// Each delivery adds itself, so nothing has to be kept of it.
    summary: Arc<Mutex<anyhow::Result<Summary>>>,
}

impl Mailer {
    pub(crate) fn open(relay: SocketAddr) -> Arc<Self> {
        let summary = Arc::new(Mutex::new(Ok(Summary::default())));
        Arc::new(Self { relay, deliveries: TaskTracker::new(), summary })
    }

    /// Takes an invoice. The shop does not wait for the relay.
    pub(crate) async fn send(&self, invoice: u64) -> anyhow::Result<()> {
        ensure!(!self.deliveries.is_closed(), "the mailer is stopped");
        let (relay, summary) = (self.relay, self.summary.clone());
        self.deliveries.spawn(async move {
            let receipt = deliver(relay, invoice).await;
            add(&summary, receipt);
        });
        Ok(())
    }

    /// Deliveries that the mailer holds: what the shop's monitoring shows.
    pub(crate) fn held(&self) -> usize {
        self.deliveries.len()
    }

    /// Takes no more invoices, lets the deliveries under way end, and says how all of them went.
    pub(crate) async fn stop(&self) -> anyhow::Result<Summary> {
        ensure!(self.deliveries.close(), "the mailer is stopped");
        self.deliveries.wait().await;
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *summary, Ok(Summary::default()))
    }
}

/// The first error is kept: it is what `stop` returns.
fn add(summary: &Mutex<anyhow::Result<Summary>>, receipt: anyhow::Result<Receipt>) {
    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
    match (&mut *summary, receipt) {
        (Ok(summary), Ok(receipt)) => summary.add(&receipt),
        (kept @ Ok(_), Err(error)) => *kept = Err(error),
        (Err(_), _) => {}
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
