//! What counts as a blocking closure while threads are slow to start, as they are on a loaded machine.
//!
//! Tokio counts a closure in its queue until a thread takes it, and the thread from the moment it is asked for. The workers
//! of a multi_thread runtime go through the same queue.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use leakcheck::{Report, attach};
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

/// Longer than the checker settles.
const LATE: Duration = Duration::from_secs(4);

fn report(mut builder: Builder, body: impl FnOnce()) -> Report {
    let watch = attach(&mut builder).on_thread_start(|| thread::sleep(LATE)).install();
    let runtime = builder.build().expect("the system gives a runtime");
    let report = runtime.block_on(async {
        body();
        watch.find().await
    });
    runtime.shutdown_background();
    report
}

#[test]
fn a_worker_that_starts_late_is_no_blocking_closure() {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    let report = report(builder, || {});
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_closure_whose_thread_starts_late_counts_once() {
    let (held, silent) = mpsc::channel::<()>();
    let report = report(Builder::new_current_thread(), || drop(spawn_blocking(move || silent.recv())));
    assert_eq!(report.blocking, 1, "{report}");
    drop(held);
}
