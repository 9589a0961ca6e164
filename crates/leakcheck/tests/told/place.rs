//! `assert` fails at the line of the test, where editors and CI show it.

use std::{future::pending, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use leakcheck::{Checker, Growth};
use tokio::runtime::Builder;

use crate::run;

const FILE: &str = file!();

mod sample {
    use super::*;

    pub(super) const SCOPE: u32 = line!() + 6;
    #[leakcheck::test]
    #[ignore = "a sample"]
    async fn place_of_a_scope() {
        let scope = leakcheck::scope();
        tokio::spawn(pending::<()>());
        scope.assert().await;
    }

    pub(super) const WATCH: u32 = line!() + 8;
    #[test]
    #[ignore = "a sample"]
    fn place_of_a_watch() {
        let mut builder = Builder::new_current_thread();
        let watch = leakcheck::attach(builder.enable_all()).install();
        builder.build().unwrap().block_on(async {
            tokio::spawn(pending::<()>());
            watch.assert().await;
        });
    }

    pub(super) const CHECKER: u32 = line!() + 4;
    #[test]
    #[ignore = "a sample"]
    fn place_of_a_checker() {
        Checker::current_thread().assert(|| async {
            tokio::spawn(pending::<()>());
        });
    }

    pub(super) const GROWTH: u32 = line!() + 4;
    #[test]
    #[ignore = "a sample"]
    fn place_of_a_growth() {
        Growth::of(2).assert(|operations| async move {
            (0..operations).for_each(|_| drop(tokio::spawn(pending::<()>())));
        });
    }

    pub(super) const ATTRIBUTE: u32 = line!() + 3;
    #[leakcheck::test]
    #[ignore = "a sample"]
    async fn place_of_the_attribute() {
        tokio::spawn(pending::<()>());
    }
}

#[test]
fn a_failure_is_at_the_line_of_the_test() {
    for (sample, line) in [
        ("place_of_a_scope", sample::SCOPE),
        ("place_of_a_watch", sample::WATCH),
        ("place_of_a_checker", sample::CHECKER),
        ("place_of_a_growth", sample::GROWTH),
        ("place_of_the_attribute", sample::ATTRIBUTE),
    ] {
        let (output, text) = run(&format!("place::sample::{sample}"), &[]);
        assert_eq!(output.status.code(), Some(101), "{text}");
        assert!(text.contains(&format!("panicked at {FILE}:{line}:")), "{line}: {text}");
    }
}

/// Between `assert` and the test is another future's poll, whose line the panic has. The message names the line of `assert`.
#[test]
fn inside_another_future_the_message_has_the_line() {
    const LINE: u32 = line!() + 4;
    let found = Checker::current_thread().find(|| async {
        let scope = leakcheck::scope();
        let task = tokio::spawn(pending::<()>());
        let failed = AssertUnwindSafe(scope.assert()).catch_unwind().await.unwrap_err();
        task.abort();
        *failed.downcast::<String>().unwrap()
    });
    let text = found.value.unwrap();
    assert!(
        text.starts_with("leak: 1 task left\n") && text.contains(&format!("  checked at {FILE}:{LINE}:")),
        "{text}"
    );
}

/// What `assert` returns can be awaited in a task, as before.
#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_future_can_be_sent() {
    let scope = leakcheck::scope();
    // The task is one of the scope, so the scope is not clean.
    let failed = tokio::spawn(async move { scope.settle(std::time::Duration::from_millis(20)).assert().await }).await;
    assert!(failed.unwrap_err().is_panic());
}
