use std::future::pending;

use googletest::prelude::*;
use harnesses::{run_ignored, spawned_at};

#[gtest]
#[leakcheck::test]
async fn clean() -> googletest::Result<()> {
    let answer = tokio::spawn(async { 42 }).await.or_fail()?;
    expect_that!(answer, gt(0));
    verify_that!(answer, eq(42))
}

mod must_fail {
    use super::*;

    #[gtest]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn leaks() {
        expect_that!(1, eq(1));
        tokio::spawn(pending::<()>()); // LEAK: alone
    }

    #[gtest]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn leaks_and_expects_in_vain() {
        tokio::spawn(pending::<()>()); // LEAK: beside
        expect_that!(1, eq(2));
    }
}

#[test]
fn a_failed_expectation_is_told_with_the_leak_beside_it() {
    let run = run_ignored("googletest::must_fail");
    run.counts(0, 2);
    run.says("googletest::must_fail::leaks", &["leak: 1 task left\n", &spawned_at!("alone")]);
    let both = ["which isn't equal to 2", "note: besides the error, leak: 1 task left\n", &spawned_at!("beside")];
    run.says("googletest::must_fail::leaks_and_expects_in_vain", &both);
}
