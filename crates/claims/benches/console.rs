//! What the console costs for each task's lifetime, beside leakcheck.
//!
//! `cargo bench -p claims --bench console`. It stands here and not in `leakcheck`, because console-subscriber
//! compiles tokio with
//! its feature `tracing`: as a development dependency of `leakcheck` it would do so in all of its tests and
//! benchmarks. "Plain"
//! in this table is therefore tokio with tracing compiled; without it, see `cargo bench -p leakcheck --bench cost`.

// It is formatted with its own crate.
#[rustfmt::skip]
#[path = "../../leakcheck/benches/common/mod.rs"]
mod common;

use std::{env, process::Command, thread, time::Duration};

use common::{Kind, Samples, head, row};
use console_subscriber::ConsoleLayer;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{filter::FilterFn, prelude::*};

const BATCH: usize = 1_000;
/// Every program's batches, and how often all programs take turns.
const BATCHES: usize = 100;
const TURNS: usize = 5;
/// Between two batches the console's own thread gets time, so that its queue never fills and no event is dropped
/// unpaid.
const CATCH_UP: Duration = Duration::from_millis(5);
/// The console as the stage sets it, and as its makers do.
const KINDS: [&str; 5] =
    ["plain", "empty-hooks", "watched", "console", "console-stock"];

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if let Some(place) =
        arguments.iter().position(|argument| argument == "--work")
    {
        let number = |at: usize| {
            arguments[place + at]
                .parse()
                .expect("--work kind workers batches")
        };
        return work(&arguments[place + 1], number(2), number(3));
    }
    common::title(
        "cost of a task's lifetime with tokio's tracing compiled, in ns: median [quartiles]",
    );
    head("", &["takes", "over plain"]);
    nanoseconds("current_thread", 0);
    nanoseconds("multi_thread(2)", 2);
    instructions();
}

/// A subscriber that once was there changes what tracing costs without it. Each program therefore has one setting.
fn nanoseconds(name: &str, workers: usize) {
    let mut samples = KINDS.map(|_| Samples::default());
    for _ in 0..common::rounds(TURNS) {
        for (kind, samples) in KINDS.iter().zip(&mut samples) {
            let output = own()
                .args(words(kind, workers, BATCHES))
                .output()
                .expect("the benchmark does not start itself");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let text = String::from_utf8_lossy(&output.stdout);
            samples.0.extend(text.split_whitespace().map(|sample| {
                sample.parse::<f64>().expect("a number")
            }));
        }
    }
    let plain = samples[0].per(BATCH).median();
    for (kind, samples) in KINDS.iter().zip(&samples) {
        let own = samples.per(BATCH);
        row(
            &format!("{name}, {kind}"),
            &[
                own.spread(1.0, 0),
                format!("{:.0}", own.median() - plain),
            ],
        );
    }
}

fn own() -> Command {
    Command::new(env::current_exe().expect("this program has a path"))
}

fn words(kind: &str, workers: usize, batches: usize) -> [String; 4] {
    [
        "--work".into(),
        kind.into(),
        workers.to_string(),
        batches.to_string(),
    ]
}

/// One sample for each batch, in nanoseconds.
fn work(kind: &str, workers: usize, batches: usize) {
    match kind {
        "console" => watch_with_stage_console(),
        "console-stock" => watch_with_stock_console(),
        _ => {}
    }
    let hooks = Kind::ALL
        .into_iter()
        .find(|known| known.name() == kind)
        .unwrap_or(Kind::Plain);
    let (runtime, _watch) = common::runtime(hooks, workers);
    runtime.block_on(common::batch(BATCH));
    for _ in 0..batches {
        println!(
            "{}",
            runtime.block_on(common::batch(BATCH)).as_nanos()
        );
        thread::sleep(CATCH_UP);
    }
}

/// The console of the workbook's programs, without a client. What its own threads do is not in the nanoseconds, but
/// in the instructions.
fn watch_with_stage_console() {
    let any_port = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let console = stage::console::bind(any_port)
        .expect("the console does not start");
    thread::spawn(move || {
        stage::console::unwatched(async {
            let never = CancellationToken::new();
            console.serve(never).await.expect("the console ended");
        });
    });
}

/// The same with the settings of the console's makers. Only its aggregator runs, and so that it takes in everything: the
/// stock one would leave most events unpaid.
fn watch_with_stock_console() {
    let (layer, server) = ConsoleLayer::builder().build();
    let of_tokio = FilterFn::new(|meta| {
        let name =
            if meta.is_event() { meta.target() } else { meta.name() };
        name.starts_with("runtime")
            || meta.target().starts_with("tokio")
    });
    tracing_subscriber::registry()
        .with(layer.with_filter(of_tokio))
        .init();
    let aggregator = server.into_parts().aggregator;
    thread::spawn(move || {
        stage::console::unwatched(tokio::task::unconstrained(
            aggregator.run(),
        ));
    });
}

/// Instructions do not depend on who else uses the machine. The console's are those of all its threads.
fn instructions() {
    common::title(
        "instructions of a task's lifetime, current_thread (callgrind, user space, all threads)",
    );
    if Command::new("valgrind").arg("--version").output().is_err() {
        return println!("not counted: valgrind is not installed");
    }
    head("", &["takes", "over plain"]);
    let each = |kind| {
        (under_callgrind(kind, 20) - under_callgrind(kind, 10))
            / (10.0 * BATCH as f64)
    };
    let plain = each("plain");
    for kind in KINDS {
        let own = each(kind);
        row(
            kind,
            &[format!("{own:.0}"), format!("{:.0}", own - plain)],
        );
    }
}

fn under_callgrind(kind: &str, batches: usize) -> f64 {
    let own = env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(words(kind, 0, batches))
        .output()
        .expect("valgrind does not start");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .map(|(_, count)| count.trim());
    collected
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("callgrind did not count:\n{text}"))
}
