//! The user's own line for what a dependency spawns, by backtraces.

use std::{
    future::pending,
    sync::{LazyLock, OnceLock},
};

use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use leakcheck::{Checker, Findings};

use crate::run;

const FILE: &str = file!();

/// As a library's client would: the spawn is in hyper-util.
fn connect() {
    TokioExecutor::new().execute(pending::<()>());
}
const CONNECT: u32 = line!() - 2;

fn show(found: Findings<()>) {
    found.value.unwrap();
    println!("{}", found.report);
}

mod sample {
    use super::*;

    #[test]
    #[ignore = "a sample"]
    fn callers_of_the_body() {
        show(Checker::current_thread().find(|| async {
            connect();
            connect();
        }));
    }

    #[test]
    #[ignore = "a sample"]
    fn callers_in_tasks() {
        show(Checker::multi_thread(2).find(|| async {
            tokio::spawn(async { connect() }).await.unwrap();
            tokio::spawn(async { TokioExecutor::new().execute(pending::<()>()) }).await.unwrap();
        }));
    }
    pub(super) const IN_TASK: u32 = line!() - 3;

    #[test]
    #[ignore = "a sample"]
    fn callers_in_statics() {
        static LAZY: LazyLock<()> = LazyLock::new(connect);
        static ONCE: OnceLock<()> = OnceLock::new();
        static TOKIO: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        show(Checker::current_thread().find(|| async { *LAZY }));
        show(Checker::current_thread().find(|| async { *ONCE.get_or_init(|| drop(tokio::spawn(pending::<()>()))) }));
        show(Checker::current_thread().find(|| async { *TOKIO.get_or_init(|| async { connect() }).await }));
        show(Checker::current_thread().find(|| async { connect() }));
    }
}

const WANTED: (&str, &str) = ("LEAKCHECK_BACKTRACE", "1");

/// What the sample shows, with backtraces or without.
fn shown(sample: &str, wanted: bool) -> String {
    let variables: &[_] = if wanted { &[WANTED] } else { &[] };
    let (output, text) =
        run(&format!("callers::sample::{sample}"), &[variables, &[("RUST_TEST_NOCAPTURE", "1")]].concat());
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn the_callers_line_stands_beside_the_spawn_line() {
    let plain = shown("callers_of_the_body", false);
    assert!(plain.contains("  2 tasks spawned at hyper-util-") && !plain.contains("called from"), "{plain}");
    let text = shown("callers_of_the_body", true);
    let line = text.lines().find(|line| line.starts_with("  2 tasks spawned at hyper-util-")).expect(&text);
    assert!(line.contains(&format!(", called from {FILE}:{CONNECT}:")) && line.contains(": parked; "), "{text}");
}

#[test]
fn several_callers_stand_below_it_and_tasks_have_callers_too() {
    let text = shown("callers_in_tasks", true);
    let (_, below) = text.split_once("  2 tasks spawned at hyper-util-").expect(&text);
    for line in [CONNECT, sample::IN_TASK] {
        assert!(below.contains(&format!("\n    1 called from {FILE}:{line}:")), "{text}");
    }
}

#[test]
fn what_a_lazy_static_spawned_is_told() {
    let told = "    1 while a lazy value was initialised: a static belongs to the process";
    let text = shown("callers_in_statics", true);
    assert_eq!(text.matches("leak: 1 task left").count(), 4, "{text}");
    assert_eq!(text.matches(told).count(), 3, "{text}");
    let (_, last) = text.rsplit_once("leak: 1 task left").expect(&text);
    assert!(!last.contains(told), "{text}");
    assert!(!shown("callers_in_statics", false).contains("lazy"), "without backtraces nobody knows");
}
