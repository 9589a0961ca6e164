//! tracing-test, and `#[tracing::instrument]`: attributes that need the body's thread.

use std::future::pending;

use harnesses::{run_ignored, spawned_at};
use tracing_test::traced_test;

/// The order in tracing-test's own documentation.
#[leakcheck::test]
#[traced_test]
async fn below() {
    tracing::warn!("quota is used up");
    tokio::spawn(async { tracing::warn!("and so is the reserve") }).await.unwrap();
    assert!(logs_contain("quota"));
    assert!(logs_contain("reserve"), "the task runs on the body's thread");
    logs_assert(|lines| if lines.len() == 2 { Ok(()) } else { Err(format!("{lines:?}")) });
}

#[traced_test]
#[leakcheck::test]
async fn above() {
    tracing::warn!("quota is used up");
    assert!(logs_contain("quota"));
    assert!(!logs_contain("reserve"));
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
#[traced_test]
async fn on_many_threads() -> Result<(), std::fmt::Error> {
    tracing::warn!("quota is used up");
    assert!(logs_contain("quota"));
    Ok(())
}

#[leakcheck::test]
#[cfg_attr(all(), traced_test)]
async fn on_a_condition() {
    tracing::warn!("quota is used up");
    assert!(logs_contain("quota"));
}

fn current_span() -> Option<&'static str> {
    tracing::Span::current().metadata().map(|metadata| metadata.name())
}

/// The lower of the two comes first in the body, and sets the subscriber.
#[leakcheck::test]
#[tracing::instrument(name = "the test's own")]
#[traced_test]
async fn instrumented() {
    tokio::task::yield_now().await;
    assert_eq!(current_span(), Some("the test's own"));
}

mod must_fail {
    use super::*;

    #[leakcheck::test]
    #[traced_test]
    #[ignore = "fails on purpose"]
    async fn leaks() {
        tracing::warn!("quota is used up");
        assert!(logs_contain("quota"));
        tokio::spawn(pending::<()>()); // LEAK: traced
    }

    #[leakcheck::test]
    #[traced_test]
    #[should_panic(expected = "leak: 1 task left")]
    #[ignore = "passes: the leak is the panic that should come"]
    async fn should_panic() {
        tokio::spawn(pending::<()>());
    }
}

#[test]
fn a_leak_is_reported_with_the_log() {
    let run = run_ignored("must_fail");
    run.counts(1, 1);
    run.says("must_fail::leaks", &["quota is used up", "leak: 1 task left\n", &spawned_at!("traced")]);
}
