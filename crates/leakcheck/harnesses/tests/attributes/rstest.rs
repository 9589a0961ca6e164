use std::{future::pending, time::Duration};

use harnesses::{run_ignored, spawned_at};
use rstest::{fixture, rstest};

#[fixture]
async fn answer() -> u32 {
    tokio::spawn(async { 42 }).await.unwrap()
}

#[rstest]
#[case::one(1, 2)]
#[case::two(2, 4)]
#[leakcheck::test]
async fn cases_above(#[case] number: u32, #[case] double: u32) {
    assert_eq!(tokio::spawn(async move { number * 2 }).await.unwrap(), double);
}

/// `#[rstest]` reads the cases on both sides.
#[rstest]
#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
#[case(1)]
#[case(2)]
async fn cases_below(#[case] number: u32) {
    assert!(tokio::spawn(async move { number > 0 }).await.unwrap());
}

#[rstest]
#[leakcheck::test(start_paused = true)]
async fn fixtures_and_values(
    #[future] answer: u32,
    #[values(1, 2)] number: u64,
) -> Result<(), std::num::ParseIntError> {
    tokio::spawn(tokio::time::sleep(Duration::from_secs(number)));
    assert_eq!("42".parse::<u32>()?, answer.await);
    Ok(())
}

mod must_fail {
    use super::*;

    #[rstest]
    #[case::clean(false)]
    #[case::leaks(true)]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn one_case(#[case] leak: bool) {
        if leak {
            tokio::spawn(pending::<()>()); // LEAK: case
        }
    }

    #[fixture]
    async fn server() -> u32 {
        tokio::spawn(pending::<()>()); // LEAK: fixture
        7
    }

    #[rstest]
    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn the_fixture(#[future(awt)] server: u32) {
        assert_eq!(server, 7);
    }
}

#[test]
fn the_leaking_case_fails_alone_and_a_fixtures_leak_is_the_tests() {
    let run = run_ignored("rstest::must_fail");
    run.counts(1, 2);
    run.says("rstest::must_fail::one_case::case_2_leaks", &["leak: 1 task left\n", &spawned_at!("case")]);
    run.says("rstest::must_fail::the_fixture", &["leak: 1 task left\n", &spawned_at!("fixture")]);
}
