//! What happens outside of the runtime, in real time: children, peers, threads, closures, files, names and the std clock.
//!
//! Each cell of the matrix is one test: an event of some kind, bare or under a time limit of the program's own, in a task
//! that ends by itself or leaks, on each kind of runtime. A task that ends must have finished its work in fact: its limit
//! must not have fired before its time.
//!
//! `LEAKCHECK_ROUNDS=20` is the full measurement; `LEAKCHECK_LOAD=1` keeps both processors busy meanwhile; `LEAKCHECK_TIMES=1`
//! prints how long each verdict took.

mod cells;
mod events;
mod gate;
mod peer;

use std::{
    env,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use libtest_mimic::{Arguments, Failed, Trial};

use cells::Cell;

/// Nearly all of a cell is waiting.
const CELLS_AT_ONCE: usize = 20;

fn main() -> ExitCode {
    if peer::is_asked_for() {
        return peer::run();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CELLS_AT_ONCE);
    let rounds = number("LEAKCHECK_ROUNDS", 1);
    let load = Load::start(2 * number("LEAKCHECK_LOAD", 0).min(1));
    let trials = cells::all().into_iter().map(|cell| Trial::test(cell.name(), move || judge(&cell, rounds)));
    let code = libtest_mimic::run(&arguments, trials.collect()).exit_code();
    load.end();
    code
}

/// Every round must be right.
fn judge(cell: &Cell, rounds: usize) -> Result<(), Failed> {
    let wrong: Vec<_> =
        (0..rounds).filter_map(|round| cell.run().inspect_err(|wrong| tell(cell, round, wrong)).err()).collect();
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} of {rounds} rounds are wrong; the first:\n{first}", wrong.len()).into()),
    }
}

/// Prints a wrong verdict at once, for a measurement takes minutes.
fn tell(cell: &Cell, round: usize, wrong: &str) {
    eprintln!("{} in round {round}: {wrong}", cell.name());
}

/// A number from the environment.
fn number(variable: &str, default: usize) -> usize {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
        Err(_) => default,
    }
}

/// Threads that leave the processors no rest.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let busy = |stop: Arc<AtomicBool>| {
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        };
        Self { threads: (0..threads).map(|_| thread::spawn(busy(stop.clone()))).collect(), stop }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("it only turns");
        }
    }
}
