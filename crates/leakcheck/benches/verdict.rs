//! How long after the body's end a leak is told.
//!
//! `cargo bench -p leakcheck --bench verdict` takes some four minutes. The time runs from the last statement of the body to the
//! return of `Checker::find`: settling, the report, and the end of the runtime. Every verdict is checked.

#[path = "common/mod.rs"]
mod common;

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Kind, MS, Samples, head, row};
use leakcheck::Checker;
use tokio::{
    sync::{Mutex, mpsc},
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy)]
struct Leak {
    name: &'static str,
    spawn: fn(),
    tasks: usize,
    /// Whether it waits for a timer: then a multi_thread runtime, whose clock cannot be paused, is given more time.
    ticks: bool,
}

const LEAKS: [Leak; 8] = [
    Leak { name: "pending", spawn: parked, tasks: 1, ticks: false },
    Leak { name: "receiver, sender held", spawn: receiver, tasks: 1, ticks: false },
    Leak { name: "token nobody cancels", spawn: token, tasks: 1, ticks: false },
    Leak { name: "ticker of 100 ms", spawn: ticker::<100>, tasks: 1, ticks: true },
    Leak { name: "ticker of 10 s", spawn: ticker::<10_000>, tasks: 1, ticks: true },
    Leak { name: "sleep of an hour", spawn: sleeper, tasks: 1, ticks: true },
    Leak { name: "mutex, and who holds it", spawn: mutex, tasks: 2, ticks: false },
    Leak { name: "10,000 pending", spawn: many, tasks: 10_000, ticks: false },
];

fn parked() {
    tokio::spawn(pending::<()>());
}

fn receiver() {
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    tokio::spawn(async move {
        let _held = sender;
        receiver.recv().await
    });
}

fn token() {
    tokio::spawn(async { CancellationToken::new().cancelled().await });
}

fn ticker<const MS: u64>() {
    tokio::spawn(async {
        let mut ticks = interval(Duration::from_millis(MS));
        loop {
            ticks.tick().await;
        }
    });
}

fn sleeper() {
    tokio::spawn(sleep(Duration::from_secs(3_600)));
}

fn mutex() {
    let mutex = Arc::new(Mutex::new(()));
    for _ in 0..2 {
        let mutex = mutex.clone();
        tokio::spawn(async move {
            let _held = mutex.lock().await;
            pending::<()>().await;
        });
    }
}

fn many() {
    (0..10_000).for_each(|_| drop(tokio::spawn(pending::<()>())));
}

fn main() {
    let paused = || Checker::current_thread().start_paused(true);
    table("current_thread, paused clock", paused, |leak| if leak.ticks { 7 } else { 500 });
    table("current_thread, real time", Checker::current_thread, |leak| if leak.ticks { 7 } else { 25 });
    // A ticking leak takes 2.5 s there.
    table("multi_thread(2), real time", || Checker::multi_thread(2), |leak| if leak.ticks { 7 } else { 25 });
}

fn table(name: &str, checker: fn() -> Checker, runs: fn(&Leak) -> usize) {
    common::title(&format!("verdict after the body's end on {name}, in ms"));
    head("", &["p50", "p95", "max", "runs", "plain end, p50"]);
    let mut all = Samples::default();
    for leak in LEAKS {
        let runs = common::rounds(runs(&leak));
        let samples = Samples((0..runs).map(|_| verdict(checker(), leak).as_secs_f64() * 1e9).collect());
        let workers = if name.starts_with("multi") { 2 } else { 0 };
        let floor = Samples((0..runs).map(|_| plain_end(workers, leak).as_secs_f64() * 1e9).collect());
        tell(leak.name, &samples, &format!("{:.3}", floor.median() / MS));
        if !leak.ticks || name.starts_with("current_thread") {
            all.0.extend(samples.0);
        }
    }
    tell(if name.starts_with("multi") { "all that do not tick" } else { "all" }, &all, "");
}

fn tell(name: &str, samples: &Samples, floor: &str) {
    let at = |part| format!("{:.3}", samples.quantile(part) / MS);
    row(name, &[at(0.5), at(0.95), at(1.0), samples.0.len().to_string(), floor.to_owned()]);
}

fn verdict(checker: Checker, leak: Leak) -> Duration {
    let found = checker.find(move || async move {
        (leak.spawn)();
        Instant::now()
    });
    let told = Instant::now();
    assert_eq!(found.report.tasks(), leak.tasks, "{}: {}", leak.name, found.report);
    told - found.value.expect("the body neither panics nor hangs")
}

/// What the end of a runtime takes that nobody watches: its tasks are polled once, as they are in a check, and
/// dropped.
fn plain_end(workers: usize, leak: Leak) -> Duration {
    let (runtime, _) = common::runtime(Kind::Plain, workers);
    let ended = runtime.block_on(async move {
        (leak.spawn)();
        let ended = Instant::now();
        tokio::task::yield_now().await;
        ended
    });
    // A turn of the scheduler polls some of the tasks only.
    runtime.block_on(async {
        for _ in 0..leak.tasks / 50 {
            tokio::task::yield_now().await;
        }
    });
    drop(runtime);
    ended.elapsed()
}
