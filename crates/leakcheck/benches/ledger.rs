//! What the ledger bears: 10,000 spawn lines, and as many spawns as the machine gives, for a minute.
//!
//! `cargo bench -p leakcheck --bench ledger -- [seconds]` prints the rate, the memory and how long a ledger took, and asserts that
//! every line was counted exactly.

#[path = "common/mod.rs"]
mod common;

use std::{
    env, fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use common::{Kind, MS, Samples, head, row};
use leakcheck::Watch;
use tokio::{runtime::Runtime, task::yield_now};

/// Spawns an empty task at a line and column of its own. A macro would give all of them the place of its call.
static LINES: [fn(); 10_000] = include!("common/lines.in");
/// Tasks that are spawned before the spawner lets them run.
const BATCH: usize = 1_000;
/// A page of Linux on the machines that the numbers are for.
const PAGE_KIB: u64 = 4;

#[track_caller]
fn s() {
    drop(tokio::spawn(async {}));
}

fn main() {
    let seconds = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(60);
    common::title(&format!("10,000 lines, {seconds} s"));
    head("", &["spawns a second", "KiB after 1 s", "KiB at most", "a ledger meanwhile, ms"]);
    for (name, workers, spawners) in [("current_thread", 0, 1), ("multi_thread(2), 2 spawn", 2, 2)] {
        let (runtime, watch) = common::runtime(Kind::Watched, workers);
        row(name, &run(&runtime, &watch.expect("it is watched"), spawners, Duration::from_secs(seconds)));
    }
}

/// Spawns from every line in turn until the time is over, in each of some tasks.
fn run(runtime: &Runtime, watch: &Watch, spawners: u64, time: Duration) -> [String; 4] {
    let (running, begun) = (AtomicBool::new(true), Instant::now());
    let (rounds, took, read) = thread::scope(|scope| {
        let reader = scope.spawn(|| readings(watch, &running));
        let rounds = runtime.block_on(async {
            let spawners: Vec<_> = (0..spawners).map(|_| tokio::spawn(spawn_until(begun + time))).collect();
            let mut rounds = 0;
            for spawner in spawners {
                rounds += spawner.await.expect("a spawner panicked");
            }
            rounds
        });
        let took = begun.elapsed();
        running.store(false, Ordering::Relaxed);
        (rounds, took, reader.join().expect("the reader panicked"))
    });
    at_rest(runtime, watch, rounds, spawners);
    let rate = (rounds * LINES.len() as u64) as f64 / took.as_secs_f64();
    let (first, most) =
        (read.kib.first().copied().unwrap_or_default(), read.kib.iter().max().copied().unwrap_or_default());
    [format!("{rate:.0}"), first.to_string(), most.to_string(), read.took.spread(MS, 1)]
}

/// How often each line has spawned a task.
async fn spawn_until(end: Instant) -> u64 {
    let mut rounds = 0;
    while Instant::now() < end {
        for batch in LINES.chunks(BATCH) {
            batch.iter().for_each(|spawn| spawn());
            let metrics = tokio::runtime::Handle::current().metrics();
            while metrics.num_alive_tasks() > BATCH {
                yield_now().await;
            }
        }
        rounds += 1;
    }
    rounds
}

/// When nothing runs any more, every count is exact: that of each line, and that of the spawners' own.
fn at_rest(runtime: &Runtime, watch: &Watch, rounds: u64, spawners: u64) {
    while runtime.metrics().num_alive_tasks() > 0 {
        runtime.block_on(yield_now());
    }
    // Tokio counts a task out after it has told its end, so all ends are told.
    let ledger = watch.ledger();
    assert_eq!(ledger.lines.len(), LINES.len() + 1, "lines");
    for line in &ledger.lines {
        let spawned = if line.location.contains("lines.in") { rounds } else { spawners };
        assert_eq!((line.spawned, line.ended, line.alive), (spawned, spawned, 0), "{}", line.location);
    }
}

struct Read {
    kib: Vec<u64>,
    took: Samples,
}

/// What a metrics page does, once a second.
fn readings(watch: &Watch, running: &AtomicBool) -> Read {
    let mut read = Read { kib: Vec::new(), took: Samples::default() };
    while running.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_secs(1));
        let begun = Instant::now();
        let ledger = watch.ledger();
        read.took.push(begun.elapsed());
        assert!(ledger.lines.iter().all(|line| line.ended <= line.spawned), "more ends than spawns");
        read.kib.push(resident_kib());
    }
    read
}

/// Memory of the process; 0 where the system does not say.
fn resident_kib() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * PAGE_KIB
}
