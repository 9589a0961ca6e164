//! How long a report of very many leaks takes.
//!
//! `cargo bench -p leakcheck --bench report` measures a scope that may not wait, which reports without settling, and beside
//! it the default check, whose time contains the wait of 200 ms.

#[path = "common/mod.rs"]
mod common;

use std::{
    future::pending,
    time::{Duration, Instant},
};

use common::{Kind, MS, Samples, head, row};

fn main() {
    common::title("report of leaked tasks, in ms: median [quartiles]");
    head("", &["watch.report()", "find, may not wait", "find, default", "lines of the report"]);
    for (name, leaked, sites) in [
        ("10,000 from one line", 10_000, 1),
        ("100,000 from one line", 100_000, 1),
        ("1,000,000 from one line", 1_000_000, 1),
        ("1,000,000 from four lines", 1_000_000, 4),
    ] {
        tell(name, leaked, sites);
    }
}

fn tell(name: &str, leaked: usize, sites: usize) {
    let (runtime, watch) = common::runtime(Kind::Watched, 0);
    let watch = watch.expect("a watched runtime has a watch");
    let [mut look, mut at_once, mut default] = [const { Samples(Vec::new()) }; 3];
    let lines = runtime.block_on(async {
        let (no_wait, default_wait) = (watch.scope().settle(Duration::ZERO), watch.scope());
        leak(leaked, sites).await;
        let mut lines = 0;
        for _ in 0..common::rounds(15) {
            let begun = Instant::now();
            assert_eq!(watch.report().tasks(), leaked, "the report is wrong");
            look.push(begun.elapsed());
            for (scope, samples) in [(&no_wait, &mut at_once), (&default_wait, &mut default)] {
                let begun = Instant::now();
                let report = scope.find().await;
                samples.push(begun.elapsed());
                assert_eq!((report.tasks(), report.survivors.len()), (leaked, sites), "the report is wrong");
                lines = report.to_string().lines().count();
            }
        }
        lines
    });
    row(name, &[look.spread(MS, 1), at_once.spread(MS, 1), default.spread(MS, 1), lines.to_string()]);
}

/// Each of the four lines is a spawn location of its own.
async fn leak(tasks: usize, sites: usize) {
    for number in 0..tasks {
        match number % sites {
            0 => tokio::spawn(pending::<()>()),
            1 => tokio::spawn(pending::<()>()),
            2 => tokio::spawn(pending::<()>()),
            _ => tokio::spawn(pending::<()>()),
        };
        if number % 1_000 == 999 {
            tokio::task::yield_now().await;
        }
    }
    tokio::task::yield_now().await;
}
