//! The ledger of a running service: what it counts, how it is read, and what its judge says of a service's course.
#![cfg(tokio_unstable)]

mod counts;
mod course;
#[cfg(feature = "metrics")]
mod metrics;
mod panics;
mod programs;

use std::{thread, time::Duration};

use leakcheck::{Ledger, Line, Watch};
use tokio::runtime::{Builder, Runtime};

/// A runtime under watch; 0 workers are `current_thread`.
fn service(workers: usize) -> (Runtime, Watch) {
    let mut builder = if workers == 0 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if workers > 0 {
        builder.worker_threads(workers);
    }
    let watch = leakcheck::attach(builder.enable_time()).install();
    (builder.build().unwrap(), watch)
}

/// The line of this file, whatever its column.
#[track_caller]
fn line(ledger: &Ledger, file: &str, line: u32) -> Line {
    let beginning = format!("{file}:{line}:");
    let mut found = ledger.lines.iter().filter(|line| line.location.starts_with(&beginning));
    let Some(one) = found.next() else { panic!("nothing at {beginning}\n{ledger}") };
    assert_eq!(found.next(), None, "two lines at {beginning}");
    one.clone()
}

/// Waits for what another thread does. The end of a task is counted after whoever joined it goes on.
#[track_caller]
fn eventually(watch: &Watch, what: impl Fn(&Ledger) -> bool) -> Ledger {
    for _ in 0..10_000 {
        let ledger = watch.ledger();
        if what(&ledger) {
            return ledger;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("it has not come to be within ten seconds:\n{}", watch.ledger());
}
