//! What a clean test pays.
//!
//! `cargo bench -p leakcheck --bench check` prints first the check alone, with allowed tasks alive at the end. Then it prints a
//! whole checked test with an empty body, beside the same test on a plain runtime, which is built, run and dropped as
//! `#[tokio::test]` does it.

#[path = "common/mod.rs"]
mod common;

use std::{
    env,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use common::{Samples, US, head, row};
use leakcheck::{Checker, Watch, attach};
use tokio::runtime::Runtime;

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--work") {
        return work(&arguments[place + 1], arguments[place + 2].parse().expect("a number of runs"));
    }
    check_alone();
    whole_test("current_thread", 0);
    whole_test("multi_thread(2)", 2);
    instructions();
}

fn check_alone() {
    common::title("the check of a clean runtime alone, in us: median [quartiles]");
    head("allowed tasks alive", &["watch.find()", "scope.find()", "num_alive_tasks == n"]);
    for alive in [0, 10_000, 100_000] {
        tell(&format!("{alive} daemons"), alive, daemons(alive));
        tell(&format!("{alive} of an allowed file"), alive, allowed(alive));
    }
}

fn daemons(alive: usize) -> (Runtime, Watch) {
    let mut builder = common::builder(0);
    let watch = attach(&mut builder).install();
    let runtime = builder.build().expect("the system gives no runtime");
    runtime.block_on(async {
        for _ in 0..alive {
            leakcheck::daemon("metrics", || tokio::spawn(std::future::pending::<()>()));
        }
        tokio::task::yield_now().await;
    });
    (runtime, watch)
}

fn allowed(alive: usize) -> (Runtime, Watch) {
    let mut builder = common::builder(0);
    let watch = attach(&mut builder).allow("benches/common/mod.rs").install();
    let runtime = builder.build().expect("the system gives no runtime");
    runtime.block_on(common::park(alive));
    (runtime, watch)
}

fn tell(name: &str, alive: usize, (runtime, watch): (Runtime, Watch)) {
    let (mut whole, mut scoped, mut counted) = (Samples::default(), Samples::default(), Samples::default());
    runtime.block_on(async {
        // The scope is begun before each check, as a test does it; its beginning is part of the price.
        for _ in 0..common::rounds(300) {
            let begun = Instant::now();
            let report = watch.find().await;
            whole.push(begun.elapsed());
            assert!(report.is_clean(), "{report}");
            let begun = Instant::now();
            let report = watch.scope().find().await;
            scoped.push(begun.elapsed());
            assert!(report.is_clean(), "{report}");
            let begun = Instant::now();
            assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), alive);
            counted.push(begun.elapsed());
        }
    });
    row(name, &[whole.spread(US, 2), scoped.spread(US, 2), counted.spread(US, 2)]);
}

fn whole_test(name: &str, workers: usize) {
    common::title(&format!("a whole test with an empty body on {name}, in us: median [quartiles]"));
    let variants: &mut [&mut dyn FnMut() -> Duration] = &mut [
        &mut || timed(|| plain(workers)),
        &mut || timed(|| counted(workers)),
        &mut || timed(|| thread::scope(|scope| scope.spawn(|| plain(workers)).join().expect("it panicked"))),
        &mut || timed(|| watched(workers)),
        &mut || timed(|| checked(workers)),
    ];
    let samples = common::interleave(common::rounds(3_000), variants);
    head("", &["takes", "over plain"]);
    let names = [
        "plain, as #[tokio::test]",
        "plain + assert num_alive_tasks == 0",
        "plain, on a thread of its own",
        "attach + watch.find(), same thread",
        "Checker::find",
    ];
    for (name, own) in names.iter().zip(&samples) {
        row(name, &[own.spread(US, 1), own.minus(&samples[0]).spread(US, 1)]);
    }
}

fn timed(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}

fn plain(workers: usize) {
    common::builder(workers).build().expect("the system gives no runtime").block_on(async {});
}

fn counted(workers: usize) {
    let runtime = common::builder(workers).build().expect("the system gives no runtime");
    runtime.block_on(async {});
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}

fn watched(workers: usize) {
    let mut builder = common::builder(workers);
    let watch = attach(&mut builder).install();
    let runtime = builder.build().expect("the system gives no runtime");
    runtime.block_on(async {});
    assert!(runtime.block_on(watch.find()).is_clean());
}

fn checked(workers: usize) {
    let checker = if workers == 0 { Checker::current_thread() } else { Checker::multi_thread(workers) };
    assert!(checker.find(|| async {}).report.is_clean());
}

/// Instructions do not depend on who else uses the machine.
fn instructions() {
    common::title("instructions of a whole test with an empty body, current_thread (callgrind, user space)");
    if Command::new("valgrind").arg("--version").output().is_err() {
        return println!("not counted: valgrind is not installed");
    }
    let each = |kind| (under_callgrind(kind, 200) - under_callgrind(kind, 100)) / 100.0;
    let plain = each("plain");
    head("", &["takes", "over plain"]);
    for kind in ["plain", "thread", "watched", "checked"] {
        let own = each(kind);
        row(kind, &[format!("{own:.0}"), format!("{:.0}", own - plain)]);
    }
}

fn under_callgrind(kind: &str, runs: usize) -> f64 {
    let own = env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--work", kind, &runs.to_string()])
        .output()
        .expect("valgrind does not start");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    collected.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("callgrind did not count:\n{text}"))
}

fn work(kind: &str, runs: usize) {
    for _ in 0..runs {
        match kind {
            "plain" => plain(0),
            "thread" => thread::scope(|scope| scope.spawn(|| plain(0)).join().expect("it panicked")),
            "watched" => watched(0),
            "checked" => checked(0),
            _ => panic!("an unknown kind: {kind}"),
        }
    }
}
