use std::future::pending;

use harnesses::{run_ignored, spawned_at};
use ntest::timeout;

#[leakcheck::test]
#[timeout(20_000)]
async fn in_time() -> Result<(), std::fmt::Error> {
    tokio::spawn(async {}).await.unwrap();
    Ok(())
}

mod must_fail {
    use super::*;

    #[leakcheck::test]
    #[timeout(20_000)]
    #[ignore = "fails on purpose"]
    async fn leaks() {
        tokio::spawn(pending::<()>()); // LEAK: in time
    }

    #[leakcheck::test]
    #[timeout(100)]
    #[ignore = "fails on purpose"]
    async fn hangs() {
        pending().await
    }
}

#[test]
fn a_leak_and_a_timeout_are_told_apart() {
    let run = run_ignored("ntest::must_fail");
    run.counts(0, 2);
    run.says("ntest::must_fail::leaks", &["leak: 1 task left\n", &spawned_at!("in time")]);
    run.says("ntest::must_fail::hangs", &["timeout: the function call took", "Max time 100 ms"]);
}
