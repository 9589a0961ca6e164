//! Has no barrier: one owner joins the first phase, and starts the second only when every chapter has returned.
//!
//! A report desk sets each customer's report in four tasks. The customer comes back for it in the morning.
//!
//! Run it: `cargo run --bin panicked-peer-phases`
//!
//! You will see the count rise with every report, and come back to where it started.

mod log;
mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::task::{JoinError, JoinSet};
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
}

impl Desk {
    /// Answers at once; the report is ready in the morning.
    fn order(self: &Arc<Self>, customer: u64) -> anyhow::Result<()> {
        let report =
            Arc::new(Report { desk: self.clone(), customer });
        tokio::spawn(report.finish());
        Ok(())
    }
}

impl Report {
    async fn finish(self: Arc<Self>) {
        // FIX: what a chapter has to tell is what its task returns.
        let pages = match self.pages().await {
            Ok(pages) => pages,
            Err(panic) => {
                self.desk.failed.fetch_add(1, Ordering::Relaxed);
                log::failed(&panic);
                return;
            }
        };
        let mut first = 1;
        let mut press = JoinSet::new();
        for (chapter, pages) in pages.into_iter().enumerate() {
            press.spawn(self.clone().print(chapter, first));
            first += pages;
        }
        press.join_all().await;
    }

    /// How long each chapter is; an error when one panicked.
    async fn pages(
        self: &Arc<Self>,
    ) -> Result<[usize; CHAPTERS], JoinError> {
        let mut layouts = JoinSet::new();
        for chapter in 0..CHAPTERS {
            layouts.spawn(self.clone().lay_out(chapter));
        }
        let mut pages = [0; CHAPTERS];
        while let Some(end) = layouts.join_next().await {
            let (chapter, count) = end?;
            pages[chapter] = count;
        }
        Ok(pages)
    }

    async fn print(self: Arc<Self>, chapter: usize, first: usize) {
        print(chapter, first).await;
        self.desk.printed.fetch_add(1, Ordering::Relaxed);
    }

    async fn lay_out(
        self: Arc<Self>,
        chapter: usize,
    ) -> (usize, usize) {
        fonts().await;
        let rows = amounts(self.customer, chapter);
        let total: u64 = rows
            .map(|row| row.parse::<u64>().expect("an amount"))
            .iter()
            .sum();
        (chapter, 1 + total as usize / 1_000)
    }
}
// ANCHOR_END: service

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
