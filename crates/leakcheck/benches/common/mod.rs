//! What the benchmarks share: runtimes with and without a watch, interleaved samples, and tables.
//!
//! The machine is assumed to be noisy. Each round therefore measures every variant once, in an order that changes from round to
//! round. The tables have the median of the differences within the rounds, not the difference of two medians.
#![expect(dead_code, reason = "no benchmark uses all of it")]

use std::{
    fs,
    future::pending,
    io::{Write, stdout},
    time::{Duration, Instant},
};

use leakcheck::{Watch, attach};
use tokio::runtime::{Builder, Runtime};

/// Which hooks the runtime has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// Tokio's four hooks, doing nothing: what no checker that uses them can go below.
    EmptyHooks,
    Watched,
    /// Watched, with two allowances that cover none of the tasks.
    Allowing,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::EmptyHooks, Self::Watched, Self::Allowing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::EmptyHooks => "empty-hooks",
            Self::Watched => "watched",
            Self::Allowing => "watched-allowances",
        }
    }
}

/// A runtime of this many workers; 0 is `current_thread`.
pub(crate) fn runtime(kind: Kind, workers: usize) -> (Runtime, Option<Watch>) {
    let mut builder = builder(workers);
    let watch = match kind {
        Kind::Plain => None,
        Kind::EmptyHooks => {
            builder.on_task_spawn(|_| {}).on_task_terminate(|_| {});
            builder.on_before_task_poll(|_| {}).on_after_task_poll(|_| {});
            None
        }
        Kind::Watched => Some(attach(&mut builder).install()),
        Kind::Allowing => Some(attach(&mut builder).allow("src/metrics.rs").allow("hyper-util").install()),
    };
    (builder.build().expect("the system gives no runtime"), watch)
}

pub(crate) fn builder(workers: usize) -> Builder {
    let mut builder = Builder::new_current_thread();
    if workers > 0 {
        builder = Builder::new_multi_thread();
        builder.worker_threads(workers);
    }
    builder.enable_all();
    builder
}

/// Spawns tasks that never end, and lets each be polled once.
pub(crate) async fn park(tasks: usize) {
    for spawned in 0..tasks {
        tokio::spawn(pending::<()>());
        if spawned % 1_000 == 999 {
            tokio::task::yield_now().await;
        }
    }
    tokio::task::yield_now().await;
}

/// The time until this many empty tasks were spawned and joined.
pub(crate) async fn batch(tasks: usize) -> Duration {
    let mut handles = Vec::with_capacity(tasks);
    let begun = Instant::now();
    handles.extend((0..tasks).map(|_| tokio::spawn(async {})));
    for handle in handles.drain(..) {
        handle.await.expect("an empty task panicked");
    }
    begun.elapsed()
}

/// The time of as many lifetimes, one after another.
pub(crate) async fn one_by_one(tasks: usize) -> Duration {
    let begun = Instant::now();
    for _ in 0..tasks {
        tokio::spawn(async {}).await.expect("an empty task panicked");
    }
    begun.elapsed()
}

/// `cargo bench` passes `--bench`. Without it, as under `cargo test --benches`, everything runs, but briefly.
pub(crate) fn rounds(wanted: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { wanted } else { wanted.div_ceil(100) }
}

/// Measures every variant once in each round. Returns one list of samples, in nanoseconds, for each variant.
pub(crate) fn interleave(rounds: usize, variants: &mut [&mut dyn FnMut() -> Duration]) -> Vec<Samples> {
    let count = variants.len();
    let mut samples = vec![Samples(Vec::with_capacity(rounds)); count];
    // The first round warms up.
    for round in 0..=rounds {
        for place in 0..count {
            // Forwards and backwards in turn, so that nothing always runs behind the same one.
            let place = if round % 2 == 0 { place } else { count - 1 - place };
            let variant = (round / 2 + place) % count;
            let took = variants[variant]().as_secs_f64() * 1e9;
            if round > 0 {
                samples[variant].0.push(took);
            }
        }
    }
    samples
}

/// Samples in nanoseconds, in the order they were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e9);
    }

    /// The value that this part of the samples does not exceed.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len() as f64 * part).ceil() as usize;
        sorted[place.clamp(1, sorted.len()) - 1]
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Round by round.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own - other).collect())
    }

    pub(crate) fn per(&self, units: usize) -> Self {
        Self(self.0.iter().map(|sample| sample / units as f64).collect())
    }

    /// `median [lower quartile, upper quartile]`, in the unit of this many nanoseconds.
    pub(crate) fn spread(&self, unit: f64, digits: usize) -> String {
        let at = |part| self.quantile(part) / unit;
        format!("{:.digits$} [{:.digits$}, {:.digits$}]", at(0.5), at(0.25), at(0.75))
    }
}

/// Nanoseconds in a microsecond and in a millisecond.
pub(crate) const US: f64 = 1e3;
pub(crate) const MS: f64 = 1e6;

/// Begins a table, and says how busy the machine was: whoever reads a number must know.
pub(crate) fn title(text: &str) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("\n{text}\n(load {load} on {cores} cores)");
}

/// One line of a table: a wide first column, and what follows.
pub(crate) fn row(first: &str, cells: &[String]) {
    print!("{first:<44}");
    cells.iter().for_each(|cell| print!(" {cell:>26}"));
    println!();
    // A table that takes minutes is read while it grows.
    let _ = stdout().flush();
}

pub(crate) fn head(first: &str, cells: &[&str]) {
    row(first, &cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
}
