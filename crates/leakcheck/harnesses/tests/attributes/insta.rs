use std::future::pending;

use harnesses::{run_ignored, spawned_at};

/// The name of a snapshot's file comes from the test's name: `insta__named_by_the_test`.
#[leakcheck::test]
async fn named_by_the_test() {
    insta::assert_snapshot!(tokio::spawn(async { "one" }).await.unwrap());
    insta::assert_snapshot!("two");
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn inline() {
    insta::assert_snapshot!(tokio::spawn(async { "one" }).await.unwrap(), @"one");
}

/// A report is a text that can be a snapshot.
#[test]
fn a_report() {
    let found = leakcheck::Checker::current_thread().find(|| async {
        tokio::spawn(pending::<()>());
    });
    let head = found.report.to_string().lines().next().map(str::to_owned);
    insta::assert_debug_snapshot!(head, @r#"
    Some(
        "leak: 1 task left",
    )
    "#);
}

mod must_fail {
    use super::*;

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn leaks_beside_a_snapshot() {
        tokio::spawn(pending::<()>()); // LEAK: beside
        insta::assert_snapshot!("one", @"one");
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn leaks_beside_another_text() {
        tokio::spawn(pending::<()>()); // LEAK: other
        insta::assert_snapshot!("one", @"two");
    }
}

#[test]
fn the_snapshot_is_told_first_and_then_the_leak() {
    let run = run_ignored("insta::must_fail");
    run.counts(0, 2);
    run.says("insta::must_fail::leaks_beside_a_snapshot", &["leak: 1 task left\n", &spawned_at!("beside")]);
    let said = ["snapshot assertion", "note: besides the panic, leak: 1 task left\n", &spawned_at!("other")];
    run.says("insta::must_fail::leaks_beside_another_text", &said);
}
