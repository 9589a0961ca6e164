//! Frees a report when it is printed.
//!
//! A service builds a report in memory for each customer and prints it.
//!
//! Run it: `cargo run --bin kept-memory-control`
//!
//! You will see resident memory rise as in the twin and stay, and the bytes in use come back.

use std::{
    alloc::System,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::time::sleep;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let office = Arc::new(Office::default());
        stage.gauge("megabytes_in_use", megabytes_in_use);
        stage.load(async |n| office.order(n)).await;
        Ok(office)
    })
}

// ANCHOR: service
/// A report has so many pages of so many bytes.
const PAGES: usize = 256;
const PAGE: usize = 4_096;
const PRINTING: Duration = Duration::from_millis(300);

#[derive(Default)]
struct Office {
    /// A line for each report, kept for the year's accounts.
    printed: Mutex<Vec<String>>,
}

impl Office {
    fn report(self: &Arc<Self>, customer: u64) {
        tokio::spawn(self.clone().print(customer));
    }

    async fn print(self: Arc<Self>, customer: u64) {
        let page = || vec![customer as u8; PAGE];
        let report: Vec<_> = (0..PAGES).map(|_| page()).collect();
        // BOUND: printed, the report is freed, and its task is over.
        sleep(PRINTING).await;
        self.log(customer, report.len());
    }

    fn log(&self, customer: u64, pages: usize) {
        let line = format!("customer {customer}: {pages} pages");
        self.printed.lock().unwrap().push(line);
    }
}
// ANCHOR_END: service

/// What the allocator has handed out and not got back.
fn megabytes_in_use() -> u64 {
    let stats = ALLOCATOR.stats();
    let freed = stats.bytes_deallocated;
    stats.bytes_allocated.saturating_sub(freed) as u64 >> 20
}

impl Office {
    fn order(self: &Arc<Self>, number: u64) -> anyhow::Result<()> {
        self.report(number);
        Ok(())
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    const REPORTS: u64 = 12;
    const LEAKS: bool = false;

    /// An office after so many reports.
    async fn after(reports: u64) -> Arc<Office> {
        let office = Arc::new(Office::default());
        (0..reports).for_each(|number| office.order(number).unwrap());
        office
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn printed_reports_are_freed() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let report =
                checker.clone().find(|| after(4 * REPORTS)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(REPORTS).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
