//! Work that ends by itself, when something outside the test does.

use std::{future::pending, time::Duration};

use tokio::process::Command;

// ANCHOR: outside
/// Starts a program, and a task that waits for its end.
fn convert() {
    tokio::spawn(async {
        // The program ends by itself, after half a second.
        Command::new("sleep").arg("0.5").status().await
    });
}
// ANCHOR_END: outside

#[leakcheck::test]
async fn a_program_is_waited_for() {
    convert();
}

#[leakcheck::test(flavor = "multi_thread")]
async fn it_is_waited_for_on_many_threads_too() {
    convert();
}

// ANCHOR: settle
#[leakcheck::test(settle = "20s")]
async fn the_task_ends_with_its_program() {
    convert();
}
// ANCHOR_END: settle

#[should_panic(expected = "leak: 1 task left")]
#[leakcheck::test(settle = "50ms")]
async fn a_shorter_limit_reports_it() {
    convert();
}

/// What waits for nothing is reported all the same, only later.
#[should_panic(expected = "leak: 1 task left")]
#[leakcheck::test(settle = "2s")]
async fn a_longer_limit_hides_no_leak() {
    tokio::spawn(pending::<()>());
}

#[should_panic(expected = "leak: 1 task left")]
#[leakcheck::test(settle = "20s")]
async fn a_scope_has_a_limit_of_its_own() {
    let scope = leakcheck::scope().settle(Duration::from_millis(50));
    convert();
    scope.assert().await;
}

#[leakcheck::test(settle = "50ms")]
async fn the_limit_of_the_test_is_not_that_of_its_scopes() {
    let scope = leakcheck::scope();
    convert();
    scope.assert().await;
}
