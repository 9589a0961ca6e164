use std::{future::pending, time::Duration};

use harnesses::{run_ignored, spawned_at};
use leakcheck::Checker;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_input_has_a_runtime_of_its_own(number in 0..100u32) {
        Checker::current_thread().assert(move || async move {
            tokio::spawn(async move { number + 1 }).await.unwrap();
        });
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn must_fail_from_eleven_on(number in 0..100u32) {
        Checker::current_thread().settle(Duration::from_millis(20)).assert(move || async move {
            if number > 10 {
                tokio::spawn(pending::<()>()); // LEAK: from eleven on
            }
        });
    }
}

#[test]
fn the_input_shrinks_to_the_least_that_leaks() {
    let run = run_ignored("proptest::must_fail");
    run.counts(0, 1);
    let said = ["Test failed: leak: 1 task left", &spawned_at!("from eleven on"), "minimal failing input: number = 11"];
    run.says("proptest::must_fail_from_eleven_on", &said);
}
