//! `#[tokio_shared_rt::test]` runs all tests on one runtime, which it builds itself. A check inside has its own.

use std::future::pending;

use harnesses::{run_ignored, spawned_at};
use leakcheck::Checker;

#[tokio_shared_rt::test(shared)]
async fn a_check_inside() {
    let answer = Checker::current_thread().assert(|| async { tokio::spawn(async { 42 }).await.unwrap() });
    assert_eq!(answer, 42);
}

mod must_fail {
    use super::*;

    #[tokio_shared_rt::test(shared)]
    #[ignore = "fails on purpose"]
    async fn leaks() {
        Checker::current_thread().assert(|| async {
            tokio::spawn(pending::<()>()); // LEAK: inside
        });
    }
}

#[test]
fn a_leak_inside_is_reported() {
    let run = run_ignored("shared_runtime::must_fail");
    run.counts(0, 1);
    run.says("shared_runtime::must_fail::leaks", &["leak: 1 task left\n", &spawned_at!("inside")]);
}
