use harnesses::{run_ignored, spawned_at};
use test_case::{test_case, test_matrix};

#[test_case(1 => 2; "one")]
#[leakcheck::test]
#[test_case(2 => 4; "two, below the attribute")]
async fn cases(number: u32) -> u32 {
    tokio::spawn(async move { number * 2 }).await.unwrap()
}

#[test_matrix([1, 2], [true, false])]
#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_matrix(number: u32, yes: bool) {
    assert_eq!(tokio::spawn(async move { yes }).await.unwrap(), yes, "{number}");
}

mod must_fail {
    use std::future::pending;

    use test_case::test_case;

    #[test_case(false; "clean")]
    #[test_case(true; "leaks")]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn one_case(leak: bool) {
        if leak {
            tokio::spawn(pending::<()>()); // LEAK: case
        }
    }
}

#[test]
fn the_leaking_case_fails_alone() {
    let run = run_ignored("test_case::must_fail");
    run.counts(1, 1);
    run.says("test_case::must_fail::one_case::test_case_2_leaks", &["leak: 1 task left\n", &spawned_at!("case")]);
}
