//! Gives each chapter a guard, whose `Drop` tells the others when it will never come.
//!
//! A report desk sets each customer's report in four tasks. The customer comes back for it in the morning.
//!
//! Run it: `cargo run --bin panicked-peer-fix`
//!
//! You will see the count rise with every report, and come back to where it started.

#[cfg(test)]
mod aborted;
mod log;
mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{sync::Barrier, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use world::{CHAPTERS, amounts, fonts, log_first_panic, print};

fn main() -> ExitCode {
    log_first_panic();
    stage::run(stage::scenario!(), async |stage| {
        let desk = Arc::new(Desk::default());
        let (printed, failed) = (desk.clone(), desk.clone());
        stage.gauge("reports_failed", move || count(&failed.failed));
        stage.gauge("chapters_printed", move || {
            count(&printed.printed)
        });
        stage.load(async |n| desk.order(n)).await;
        Ok(desk)
    })
}

// ANCHOR: service
#[derive(Default)]
struct Desk {
    printed: AtomicU64,
    /// Reports whose customer was told that there is none.
    failed: AtomicU64,
}

/// One report. Each chapter is set by a task, and has to know how
/// many pages come before it.
struct Report {
    desk: Arc<Desk>,
    customer: u64,
    pages: Mutex<[usize; CHAPTERS]>,
    /// The chapters meet here when their pages are counted.
    counted: Barrier,
    /// Cancelled when a chapter ends before they have met.
    broken: CancellationToken,
}

impl Desk {
    /// Answers at once; the report is ready in the morning.
    fn order(self: &Arc<Self>, customer: u64) -> anyhow::Result<()> {
        let report = Arc::new(Report::of(self.clone(), customer));
        tokio::spawn(report.finish());
        Ok(())
    }
}

impl Report {
    fn of(desk: Arc<Desk>, customer: u64) -> Self {
        let pages = Mutex::default();
        let counted = Barrier::new(CHAPTERS);
        let broken = CancellationToken::new();
        Self { desk, customer, pages, counted, broken }
    }

    /// Owns the chapters, and hears of each how it ended.
    async fn finish(self: Arc<Self>) {
        let mut chapters = JoinSet::new();
        for chapter in 0..CHAPTERS {
            // FIX: this cancels on every way out; a panic is one.
            let promise = self.broken.clone().drop_guard();
            chapters.spawn(self.clone().set(chapter, promise));
        }
        let mut ready = true;
        while let Some(end) = chapters.join_next().await {
            ready &= end.unwrap_or_else(|panic| log::failed(&panic));
        }
        if !ready {
            self.desk.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// True when the chapter was printed.
    // ANCHOR: set
    async fn set(
        self: Arc<Self>,
        chapter: usize,
        promise: DropGuard,
    ) -> bool {
        let pages = self.lay_out(chapter).await;
        self.pages.lock().unwrap()[chapter] = pages;
        // A wait that is dropped has still arrived: this barrier
        // serves one report, and is not used again.
        tokio::select! {
            _ = self.counted.wait() => promise.disarm(),
            () = self.broken.cancelled() => return false,
        };
        print(chapter, self.first_page(chapter)).await;
        self.desk.printed.fetch_add(1, Ordering::Relaxed);
        true
    }
    // ANCHOR_END: set

    async fn lay_out(&self, chapter: usize) -> usize {
        fonts().await;
        let rows = amounts(self.customer, chapter);
        let total: u64 = rows
            .map(|row| row.parse::<u64>().expect("an amount"))
            .iter()
            .sum();
        1 + total as usize / 1_000
    }

    fn first_page(&self, chapter: usize) -> usize {
        let pages = self.pages.lock().unwrap();
        1 + pages[..chapter].iter().sum::<usize>()
    }
}
// ANCHOR_END: service

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn a_report_leaves_no_chapter_behind() {
        let desk = Arc::new(Desk::default());
        let reports = leakcheck::scope();
        for customer in 0..20 {
            desk.order(customer).unwrap();
        }
        // The desk lives on, and only the reports are over.
        reports.assert().await;
        assert_eq!(count(&desk.printed), 15 * CHAPTERS as u64);
        assert_eq!(count(&desk.failed), 5);
    }
    // ANCHOR_END: guard
}
