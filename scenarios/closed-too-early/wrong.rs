//! Cancels a token, at which the writer looks between two sales, and waits until the writer has ended.
//!
//! A shop hands out a receipt for every sale, and books it in a ledger through a queue. In the evening it closes.
//!
//! Run it: `cargo run --bin closed-too-early-wrong`
//!
//! You will see no task too many, and four sales lost on every day.

mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use world::{Ledger, Sale, sales};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let books = Arc::new(Books::default());
        let (receipts, lost) = (books.clone(), books.clone());
        stage.gauge("receipts", move || count(&receipts.receipts));
        stage.gauge("sales_lost", move || count(&lost.lost));
        stage.load(async |_day| books.day().await).await;
        Ok(books)
    })
}

// ANCHOR: service
/// Sales that may wait to be booked.
const QUEUE: usize = 16;
/// The shop waits this long for the ledger, and not for ever.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// The till of one day.
struct Till {
    /// Sales are sent, the writer receives and closes.
    sales: mpsc::Sender<Sale>,
    stop: CancellationToken,
    writer: AbortOnDropHandle<()>,
}

/// The shop's promise that a sale will be in the ledger.
struct Receipt;

impl Till {
    fn open(ledger: Arc<Ledger>) -> Self {
        let (sales, queue) = mpsc::channel(QUEUE);
        let stop = CancellationToken::new();
        let writer = book_all(queue, ledger, stop.clone());
        let writer = AbortOnDropHandle::new(tokio::spawn(writer));
        Self { sales, stop, writer }
    }

    async fn sell(&self, sale: Sale) -> Result<Receipt> {
        self.sales.send(sale).await?;
        Ok(Receipt)
    }

    async fn close(self) -> Result<()> {
        self.stop.cancel();
        let ended = timeout(DRAIN_MAX, self.writer).await;
        ended.context("sales not booked: the ledger is down")??;
        Ok(())
    }
}

// ANCHOR: writer
async fn book_all(
    mut queue: mpsc::Receiver<Sale>,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
) {
    // LEAK: the writer stops, and leaves the queued sales unread.
    while let Some(Some(sale)) =
        stop.run_until_cancelled(queue.recv()).await
    {
        ledger.book(sale).await;
    }
}
// ANCHOR_END: writer
// ANCHOR_END: service

/// The auditor's: receipts handed out, and sales with a receipt that are in no ledger.
#[derive(Default)]
struct Books {
    receipts: AtomicU64,
    lost: AtomicU64,
}

impl Books {
    /// A day: eight sales, and the line fails after the third.
    async fn day(&self) -> Result<()> {
        let ledger = Arc::new(Ledger::default());
        let till = Till::open(ledger.clone());
        let mut receipts = 0;
        for sale in sales() {
            let Receipt = till.sell(sale).await?;
            receipts += 1;
        }
        ledger.fault().await;
        // The shop closes first, and then the line is mended.
        let (closed, ()) =
            tokio::join!(biased; till.close(), ledger.mend());
        closed?;
        let lost = receipts - ledger.booked();
        self.receipts.fetch_add(receipts, Ordering::Relaxed);
        self.lost.fetch_add(lost, Ordering::Relaxed);
        Ok(())
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
