//! The label service of a warehouse: it borrows a number for a parcel, has the label printed, and assigns the number.
//!
//! Run it: `cargo run --bin parcel-labels-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Semaphore,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// The carrier answers sooner than this, or not at all.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A number lapses when nobody has renewed it for a while; this leaves room for a few lost renewals.
const RENEW_EVERY: Duration = Duration::from_millis(50);
/// Labels that are under way at the same time; the carrier blocks a customer who asks for more.
const LABELS_MAX: usize = 64;

/// What the packer gets to see.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Printed {
        number: u64,
        /// What stands below the bars.
        code: String,
    },
    /// The carrier does not take the parcel: the packer asks the customer for another address.
    Refused(String),
}

/// Makes the labels of one warehouse.
pub(crate) struct Labels {
    numbers: Numbers,
    printer: SocketAddr,
    room: Semaphore,
}

impl Labels {
    pub(crate) fn new(numbers: SocketAddr, printer: SocketAddr) -> Arc<Self> {
        Arc::new(Self { numbers: Numbers(numbers), printer, room: Semaphore::new(LABELS_MAX) })
    }

    /// Makes the label of a parcel. An error is the carrier's: the packer puts the parcel back on the belt, and tries again later.
    pub(crate) async fn label(&self, parcel: u64, address: &str) -> anyhow::Result<Label> {
        let _room = self.room.acquire().await.context("the warehouse is closed")?;
        let number = self.numbers.borrow(parcel).await?;
        // The printer checks the address first, which takes longer than a number is lent for.
        let settled = CancellationToken::new();
        let renewal = tokio::spawn(renew(self.numbers, number, settled.clone()));

        let code = match self.print(parcel, number, address).await? {
            Print::Done(code) => code,
            Print::Refused(reason) => return Ok(Label::Refused(reason)),
        };
        self.numbers.assign(number, parcel).await?;
        settled.cancel();
        renewal.await.context("the renewal has panicked")??;
        Ok(Label::Printed { number, code })
    }

    /// Lets the labels under way end, and takes no new one.
    pub(crate) async fn stop(&self) {
        if let Ok(all) = self.room.acquire_many(LABELS_MAX as u32).await {
            self.room.close();
            drop(all);
        }
    }

    async fn print(&self, parcel: u64, number: u64, address: &str) -> anyhow::Result<Print> {
        let answer = ask(self.printer, &format!("PRINT {parcel} {number} {address}")).await?;
        match answer.split_once(' ') {
            Some(("LABEL", code)) => Ok(Print::Done(code.to_owned())),
            Some(("REFUSED", reason)) => Ok(Print::Refused(reason.to_owned())),
            _ => bail!("the printer said {answer:?}"),
        }
    }
}

/// What the printer says.
enum Print {
    Done(String),
    Refused(String),
}

/// The carrier's range of parcel numbers. It lends a number for a moment; one that is neither renewed nor assigned goes back.
#[derive(Clone, Copy)]
struct Numbers(SocketAddr);

impl Numbers {
    async fn borrow(self, parcel: u64) -> anyhow::Result<u64> {
        let answer = ask(self.0, &format!("BORROW {parcel}")).await?;
        let number =
            answer.strip_prefix("NUMBER ").with_context(|| format!("no number for parcel {parcel}: {answer:?}"))?;
        number.parse().context("not a number")
    }

    async fn renew(self, number: u64) -> anyhow::Result<()> {
        let answer = ask(self.0, &format!("RENEW {number}")).await?;
        ensure!(answer == "OK", "number {number} is not renewed: {answer:?}");
        Ok(())
    }

    async fn assign(self, number: u64, parcel: u64) -> anyhow::Result<()> {
        let answer = ask(self.0, &format!("ASSIGN {number} {parcel}")).await?;
        ensure!(answer == "OK", "number {number} is not assigned: {answer:?}");
        Ok(())
    }
}

/// Keeps a number lent until it is settled what becomes of it.
async fn renew(numbers: Numbers, number: u64, settled: CancellationToken) -> anyhow::Result<()> {
    let mut next = interval(RENEW_EVERY);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = settled.cancelled() => return Ok(()),
            _ = next.tick() => numbers.renew(number).await?,
        }
    }
}

/// One question to the carrier, over a connection of its own.
async fn ask(peer: SocketAddr, question: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(peer).await.context("cannot connect")?;
        stream.write_all(format!("{question}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        ensure!(answer.ends_with('\n'), "the carrier hung up");
        Ok(answer.trim_end().to_owned())
    };
    timeout(ANSWER_MAX, exchange).await.context("the carrier is too slow")?
}
