//! Lets the chapters of a report meet at a barrier, whatever becomes of them on the way.
//!
//! A report desk sets each customer's report in four tasks. The customer comes back for it in the morning.
//!
//! Run it: `cargo run --bin panicked-peer-leak`
//!
//! You will see three tasks more after every fourth report, and none of them ever again at work.

mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Barrier;
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
}

impl Desk {
    /// Answers at once; the report is ready in the morning.
    fn order(self: &Arc<Self>, customer: u64) -> anyhow::Result<()> {
        let report = Arc::new(Report::of(self.clone(), customer));
        for chapter in 0..CHAPTERS {
            tokio::spawn(report.clone().set(chapter));
        }
        Ok(())
    }
}

impl Report {
    fn of(desk: Arc<Desk>, customer: u64) -> Self {
        let pages = Mutex::default();
        let counted = Barrier::new(CHAPTERS);
        Self { desk, customer, pages, counted }
    }

    // ANCHOR: set
    async fn set(self: Arc<Self>, chapter: usize) {
        let pages = self.lay_out(chapter).await;
        self.pages.lock().unwrap()[chapter] = pages;
        // LEAK: a chapter that panicked is waited for too.
        self.counted.wait().await;
        print(chapter, self.first_page(chapter)).await;
        self.desk.printed.fetch_add(1, Ordering::Relaxed);
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
    #[should_panic(
        expected = "15 tasks spawned at scenarios/panicked-peer/leak.rs"
    )]
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
