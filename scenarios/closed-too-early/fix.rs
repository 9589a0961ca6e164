//! Closes the queue, lets the writer drain it, and waits for the writer's end.
//!
//! A shop hands out a receipt for every sale, and books it in a ledger through a queue. In the evening it closes.
//!
//! Run it: `cargo run --bin closed-too-early-fix`
//!
//! You will see no task too many, and no sale lost.

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
use tokio_util::task::AbortOnDropHandle;
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
    /// Sales are sent, the writer receives; the till closes.
    sales: mpsc::Sender<Sale>,
    writer: AbortOnDropHandle<()>,
}

/// The shop's promise that a sale will be in the ledger.
struct Receipt;

impl Till {
    fn open(ledger: Arc<Ledger>) -> Self {
        let (sales, queue) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(book_all(queue, ledger));
        Self { sales, writer: AbortOnDropHandle::new(writer) }
    }

    async fn sell(&self, sale: Sale) -> Result<Receipt> {
        self.sales.send(sale).await?;
        Ok(Receipt)
    }

    /// An error names what nobody may keep silent about.
    async fn close(self) -> Result<()> {
        drop(self.sales);
        // FIX: the writer ends by itself, when its queue is empty.
        let drained = timeout(DRAIN_MAX, self.writer).await;
        drained.context("sales not booked: the ledger is down")??;
        Ok(())
    }
}

async fn book_all(
    mut queue: mpsc::Receiver<Sale>,
    ledger: Arc<Ledger>,
) {
    while let Some(sale) = queue.recv().await {
        ledger.book(sale).await;
    }
}
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

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn every_sale_with_a_receipt_is_in_the_ledger() {
        let (books, days) = (Books::default(), leakcheck::scope());
        for _ in 0..20 {
            books.day().await.unwrap();
        }
        // No task is left, with the leak neither.
        days.assert().await;
        let [lost, of] = [&books.lost, &books.receipts].map(count);
        assert!(lost == 0, "lost: {lost} of {of} sales");
    }
    // ANCHOR_END: guard

    #[leakcheck::test(start_paused = true)]
    async fn a_ledger_that_stays_down_is_told_and_leaves_no_task() {
        let till = Till::open(Arc::default());
        for sale in sales() {
            till.sell(sale).await.unwrap();
        }
        let error = till.close().await.unwrap_err();
        assert!(error.to_string().starts_with("sales not booked"));
    }
}
