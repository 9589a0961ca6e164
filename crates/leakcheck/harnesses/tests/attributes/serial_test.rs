use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use harnesses::{run_ignored, spawned_at};
use serial_test::{parallel, serial};

/// How many tests, with what they leave behind, are at work with the thing that only one may have.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// Takes the thing, and leaves the giving back to a task.
fn work() {
    assert_eq!(AT_WORK.fetch_add(1, Ordering::SeqCst), 0, "another test is at work");
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
    });
}

/// Below, the lock is held until the verdict: the next test begins when the tasks of this one have ended.
mod below {
    use super::*;

    #[leakcheck::test]
    #[serial(thing)]
    async fn one() {
        work();
    }

    #[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
    #[serial(thing)]
    async fn two() -> Result<(), std::fmt::Error> {
        work();
        Ok(())
    }

    #[leakcheck::test]
    #[serial_test::serial(thing)]
    async fn three() {
        work();
    }

    #[leakcheck::test]
    #[parallel(other)]
    async fn beside_others() {
        tokio::spawn(async {}).await.unwrap();
    }
}

/// Above, the lock is held for the body alone, and the wait for it counts as the body's time.
mod above {
    use super::*;

    static IN_A_BODY: AtomicUsize = AtomicUsize::new(0);

    async fn body() {
        assert_eq!(IN_A_BODY.fetch_add(1, Ordering::SeqCst), 0, "another body runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
        IN_A_BODY.fetch_sub(1, Ordering::SeqCst);
    }

    #[serial(bodies)]
    #[leakcheck::test]
    async fn one() {
        body().await;
    }

    #[serial(bodies)]
    #[leakcheck::test]
    async fn two() -> Result<(), std::fmt::Error> {
        body().await;
        Ok(())
    }
}

mod must_fail {
    use super::*;

    #[leakcheck::test]
    #[serial]
    #[ignore = "fails on purpose"]
    async fn below() {
        tokio::spawn(pending::<()>()); // LEAK: below
    }

    #[serial]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn above() {
        tokio::spawn(pending::<()>()); // LEAK: above
    }

    #[leakcheck::test]
    #[serial]
    #[ignore = "fails on purpose"]
    async fn errs_and_leaks() -> Result<(), String> {
        tokio::spawn(pending::<()>()); // LEAK: beside an error
        Err("the test's own error".into())
    }

    #[leakcheck::test]
    #[serial]
    #[ignore = "passes beside the others"]
    async fn clean() -> Result<(), std::fmt::Error> {
        Ok(())
    }
}

#[test]
fn a_leak_is_reported_in_both_orders() {
    let run = run_ignored("serial_test::must_fail");
    run.counts(1, 3);
    run.says("serial_test::must_fail::below", &["leak: 1 task left\n", &spawned_at!("below")]);
    run.says("serial_test::must_fail::above", &["leak: 1 task left\n", &spawned_at!("above")]);
    let said =
        ["the test's own error", "note: besides the error, leak: 1 task left\n", &spawned_at!("beside an error")];
    run.says("serial_test::must_fail::errs_and_leaks", &said);
}
