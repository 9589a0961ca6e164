//! What a watched task costs more than a plain one, from its spawn to its end.
//!
//! `cargo bench -p leakcheck --bench cost` prints nanoseconds, then instructions if valgrind is installed.

#[path = "common/mod.rs"]
mod common;

use std::{
    env, fs,
    process::Command,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use common::{Kind, head, row};
use tokio::runtime::Runtime;

const BATCH: usize = 1_000;
const SPAWNERS: usize = 8;

/// One column for each kind.
const HEAD: [&str; 4] = ["plain", "empty hooks over plain", "watched over plain", "and with two allowances"];

/// Where the tasks come from.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    workers: usize,
    /// Tasks that are alive all the while.
    alive: usize,
    run: fn(&Runtime) -> Duration,
    /// Lifetimes that one call of `run` measures.
    tasks: usize,
}

const SHAPES: [Shape; 7] = [
    Shape { name: "current_thread, batches of 1,000", workers: 0, alive: 0, run: of_root, tasks: BATCH },
    Shape { name: "current_thread, one at a time", workers: 0, alive: 0, run: single, tasks: BATCH },
    Shape { name: "current_thread, 1,000 from a task", workers: 0, alive: 0, run: of_task, tasks: BATCH },
    Shape { name: "current_thread, beside 10,000 alive", workers: 0, alive: 10_000, run: of_root, tasks: BATCH },
    Shape { name: "current_thread, beside 100,000 alive", workers: 0, alive: 100_000, run: of_root, tasks: BATCH },
    Shape { name: "multi_thread(2), batches of 1,000", workers: 2, alive: 0, run: of_root, tasks: BATCH },
    Shape { name: "multi_thread(2), 8 threads spawn", workers: 2, alive: 0, run: threads, tasks: BATCH * SPAWNERS },
];

fn of_root(runtime: &Runtime) -> Duration {
    runtime.block_on(common::batch(BATCH))
}

fn single(runtime: &Runtime) -> Duration {
    runtime.block_on(common::one_by_one(BATCH))
}

/// The parent is a task: a watched one has its spawn location looked up for each child.
fn of_task(runtime: &Runtime) -> Duration {
    runtime.block_on(async { tokio::spawn(common::batch(BATCH)).await.expect("the spawning task panicked") })
}

/// Threads that are not the runtime's, each with a batch of its own. The time is that of all.
fn threads(runtime: &Runtime) -> Duration {
    let ready = Barrier::new(SPAWNERS + 1);
    thread::scope(|scope| {
        let spawn = || {
            let _entered = runtime.enter();
            ready.wait();
            runtime.block_on(common::batch(BATCH));
        };
        let spawners: Vec<_> = (0..SPAWNERS).map(|_| scope.spawn(spawn)).collect();
        ready.wait();
        let begun = Instant::now();
        spawners.into_iter().for_each(|spawner| spawner.join().expect("a spawning thread panicked"));
        begun.elapsed()
    })
}

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--work") {
        return work(&arguments[place + 1..]);
    }
    nanoseconds();
    processor_time();
    instructions();
}

/// All, or those whose name contains the word that was given: `cargo bench -p leakcheck --bench cost -- multi`.
fn chosen() -> impl Iterator<Item = (usize, Shape)> {
    let word = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    SHAPES.into_iter().enumerate().filter(move |(_, shape)| shape.name.contains(&word))
}

fn nanoseconds() {
    common::title("cost of a task's lifetime, in ns: median of the differences, round by round [quartiles]");
    head("", &HEAD);
    for (_, shape) in chosen() {
        let runtimes = Kind::ALL.map(|kind| common::runtime(kind, shape.workers).0);
        runtimes.iter().for_each(|runtime| runtime.block_on(common::park(shape.alive)));
        let [mut plain, mut empty, mut watched, mut allowing] = [0, 1, 2, 3].map(|kind| {
            let runtime = &runtimes[kind];
            move || (shape.run)(runtime)
        });
        let rounds = common::rounds(3_000 * BATCH / shape.tasks);
        let samples = common::interleave(rounds, &mut [&mut plain, &mut empty, &mut watched, &mut allowing]);
        let per_task: Vec<_> = samples.iter().map(|samples| samples.per(shape.tasks)).collect();
        let over = |kind: usize| per_task[kind].minus(&per_task[0]).spread(1.0, 0);
        row(shape.name, &[per_task[0].spread(1.0, 0), over(1), over(2), over(3)]);
    }
}

/// Several threads wait for each other, and for whoever else uses the machine. What they use is steadier than how
/// long they take.
fn processor_time() {
    common::title("processor time of a task's lifetime, all threads, in ns: total of all rounds");
    if used().is_none() {
        return println!("not counted: the system has no /proc/self/stat");
    }
    head("", &HEAD);
    for (_, shape) in chosen().filter(|(_, shape)| shape.workers > 0) {
        let runtimes = Kind::ALL.map(|kind| common::runtime(kind, shape.workers).0);
        let (rounds, runs) = (common::rounds(20), 400 * BATCH / shape.tasks);
        let mut totals = Kind::ALL.map(|_| 0.0);
        for _ in 0..rounds {
            for (total, runtime) in totals.iter_mut().zip(&runtimes) {
                let before = used().unwrap_or_default();
                let _: Duration = (0..runs).map(|_| (shape.run)(runtime)).sum();
                *total += used().unwrap_or_default() - before;
            }
        }
        let each = totals.map(|total| total / (rounds * runs * shape.tasks) as f64);
        let over = |kind: usize| format!("{:.0}", each[kind] - each[0]);
        row(shape.name, &[format!("{:.0}", each[0]), over(1), over(2), over(3)]);
    }
}

/// Nanoseconds of processor time that this process has used, in the system's ticks of 10 ms.
fn used() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(ticks * 1e7)
}

/// Instructions do not depend on who else uses the machine. Each is counted twice, for N and for 2N tasks.
fn instructions() {
    common::title("instructions of a task's lifetime (callgrind, user space)");
    if Command::new("valgrind").arg("--version").output().is_err() {
        return println!("not counted: valgrind is not installed");
    }
    head("", &HEAD);
    for (place, shape) in chosen().filter(|(_, shape)| shape.workers == 0) {
        let counts = Kind::ALL.map(|kind| {
            let [once, twice] = [10, 20].map(|runs| counted(kind, place, runs));
            (twice - once) / (10.0 * shape.tasks as f64)
        });
        let over = |kind: usize| format!("{:.0}", counts[kind] - counts[0]);
        row(shape.name, &[format!("{:.0}", counts[0]), over(1), over(2), over(3)]);
    }
}

/// Runs this program under callgrind.
fn counted(kind: Kind, shape: usize, runs: usize) -> f64 {
    let own = env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--work", kind.name(), &shape.to_string(), &runs.to_string()])
        .output()
        .expect("valgrind does not start");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    collected.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("callgrind did not count:\n{text}"))
}

/// Under callgrind: `kind shape runs`.
fn work(arguments: &[String]) {
    let [kind, shape, runs] = [0, 1, 2].map(|place| arguments.get(place).expect("--work kind shape runs"));
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).expect("an unknown kind");
    let shape = SHAPES[shape.parse::<usize>().expect("a number of a shape")];
    let (runtime, _watch) = common::runtime(kind, shape.workers);
    runtime.block_on(common::park(shape.alive));
    for _ in 0..runs.parse::<usize>().expect("a number of runs") {
        (shape.run)(&runtime);
    }
}
