//! test-log, which sets the one subscriber of the process.

use std::future::pending;

use harnesses::{run_ignored, spawned_at};

#[test_log::test(leakcheck::test)]
async fn clean() {
    tracing::info!("a line of the log");
    tokio::spawn(async {}).await.unwrap();
}

#[test_log::test(leakcheck::test(flavor = "multi_thread", worker_threads = 2))]
async fn with_arguments() -> Result<(), std::fmt::Error> {
    assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 2);
    Ok(())
}

mod must_fail {
    use super::*;

    #[test_log::test(leakcheck::test)]
    #[ignore = "fails on purpose"]
    async fn leaks() {
        tracing::info!("a line of the log");
        tokio::spawn(pending::<()>()); // LEAK: logged
    }
}

#[test]
fn a_leak_is_reported_below_the_tests_log() {
    let run = run_ignored("must_fail");
    run.counts(0, 1);
    run.says("must_fail::leaks", &["a line of the log", "leak: 1 task left\n", &spawned_at!("logged")]);
}
