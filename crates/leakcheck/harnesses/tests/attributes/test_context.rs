use std::future::pending;

use harnesses::{run_ignored, spawned_at};
use test_context::{AsyncTestContext, test_context};
use tokio::task::JoinHandle;

/// A server that is stopped at the end of each test.
struct Server(JoinHandle<()>);

impl AsyncTestContext for Server {
    async fn setup() -> Self {
        Self(tokio::spawn(pending()))
    }

    async fn teardown(self) {
        self.0.abort();
    }
}

/// One that is forgotten.
struct Forgotten;

impl AsyncTestContext for Forgotten {
    async fn setup() -> Self {
        tokio::spawn(pending::<()>()); // LEAK: setup
        Self
    }

    async fn teardown(self) {}
}

#[test_context(Server)]
#[leakcheck::test]
async fn the_teardown_belongs_to_the_body(server: &mut Server) {
    assert!(!server.0.is_finished());
}

#[test_context(Server)]
#[leakcheck::test]
#[should_panic(expected = "the test's own failure")]
async fn the_teardown_also_follows_a_panic(_server: &mut Server) {
    panic!("the test's own failure");
}

mod must_fail {
    use super::*;

    #[test_context(Forgotten)]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn a_context_without_teardown(_forgotten: &mut Forgotten) {}

    #[test_context(Server)]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn the_body(_server: &mut Server) {
        tokio::spawn(pending::<()>()); // LEAK: body
    }
}

#[test]
fn what_setup_or_body_leave_is_reported() {
    let run = run_ignored("test_context::must_fail");
    run.counts(0, 2);
    run.says("test_context::must_fail::a_context_without_teardown", &["leak: 1 task left\n", &spawned_at!("setup")]);
    run.says("test_context::must_fail::the_body", &["leak: 1 task left\n", &spawned_at!("body")]);
}
