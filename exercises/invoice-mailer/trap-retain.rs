//! The invoice mailer of a shop: it takes an invoice, answers at once, and hands it to the mail relay meanwhile.
//!
//! Run it: `cargo run --bin invoice-mailer-trap-retain`

mod world;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinHandle,
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

/// Mails the invoices of one shop.
pub(crate) struct Mailer {
    relay: SocketAddr,
    /// Every delivery, for the summary; none when the mailer has been stopped.
    deliveries: Mutex<Option<Vec<JoinHandle<anyhow::Result<Receipt>>>>>,
}

impl Mailer {
    pub(crate) fn open(relay: SocketAddr) -> Arc<Self> {
        Arc::new(Self { relay, deliveries: Mutex::new(Some(Vec::new())) })
    }

    /// Takes an invoice. The shop does not wait for the relay.
    pub(crate) async fn send(&self, invoice: u64) -> anyhow::Result<()> {
        let mut deliveries = self.deliveries();
        let all = deliveries.as_mut().context("the mailer is stopped")?;
        // Those that have ended need no handle any more.
        all.retain(|delivery| !delivery.is_finished());
        all.push(tokio::spawn(deliver(self.relay, invoice)));
        Ok(())
    }

    /// Deliveries that the mailer holds: what the shop's monitoring shows.
    pub(crate) fn held(&self) -> usize {
        let mut deliveries = self.deliveries();
        let Some(all) = deliveries.as_mut() else { return 0 };
        all.retain(|delivery| !delivery.is_finished());
        all.len()
    }

    /// Takes no more invoices, lets the deliveries under way end, and says how all of them went.
    pub(crate) async fn stop(&self) -> anyhow::Result<Summary> {
        let all = self.deliveries().take().context("the mailer is stopped")?;
        let mut summary = Summary::default();
        for delivery in all {
            summary.add(&delivery.await.context("a delivery has panicked")??);
        }
        Ok(summary)
    }

    fn deliveries(&self) -> MutexGuard<'_, Option<Vec<JoinHandle<anyhow::Result<Receipt>>>>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
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
