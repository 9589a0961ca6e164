//! What a report says of a task and of a body is true: parked, timer, live, never yields, starved; a body that blocks, waits,
//! goes on or starves.
#![cfg(tokio_unstable)]

mod body;
mod queues;
mod timers;

use std::{
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use leakcheck::{Body, Checker, Doing, Overdue, Report, Survivors};

/// Both flavours, the second with so many workers.
fn both(workers: usize) -> [Checker; 2] {
    [Checker::current_thread(), Checker::multi_thread(workers)]
}

/// How the body of the report hung.
fn overdue(report: &Report) -> Overdue {
    match report.body {
        Body::Overdue(overdue) => overdue,
        _ => panic!("the body was to be overdue: {report}"),
    }
}

fn doing(report: &Report) -> Doing {
    overdue(report).doing
}

/// The sum over all spawn lines.
fn sum(report: &Report, of: fn(&Survivors) -> usize) -> usize {
    report.survivors.iter().map(of).sum()
}

/// Blocks this thread until the process ends: there is no cruder way that needs no processor.
fn block() {
    static HELD: OnceLock<Mutex<Vec<mpsc::Sender<()>>>> = OnceLock::new();
    let (held, silent) = mpsc::channel::<()>();
    HELD.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner).push(held);
    silent.recv().expect_err("what is held lives as long as the process");
}

/// Long enough for a body to come to rest on a busy machine.
const DEADLINE: Duration = Duration::from_millis(600);
