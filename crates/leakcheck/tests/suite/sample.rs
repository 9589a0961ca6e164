//! Tests that leave something behind, and tests that do not. Others run them.

use std::{future::pending, time::Duration};

use leakcheck::Checker;

pub(crate) const FILE: &str = file!();

pub(crate) const ONE: u32 = line!() + 4;
#[leakcheck::test]
#[ignore = "a sample"]
async fn leaks_one() {
    tokio::spawn(pending::<()>());
}

pub(crate) const MORE: u32 = line!() + 6;
/// Two of one line, and a ticker of another, which would be given longer to end.
#[leakcheck::test(settle = "200ms")]
#[ignore = "a sample"]
async fn leaks_more() {
    for _ in 0..2 {
        tokio::spawn(pending::<()>());
    }
    tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}
pub(crate) const TICKER: u32 = MORE + 2;

/// Its scope fails, and its end does not.
#[leakcheck::test]
#[ignore = "a sample"]
async fn leaks_in_its_scope() {
    let scope = leakcheck::scope();
    let task = spawn_in_scope();
    scope.assert().await;
    task.abort();
}

pub(crate) const IN_SCOPE: u32 = line!() + 2;
fn spawn_in_scope() -> tokio::task::JoinHandle<()> {
    tokio::spawn(pending::<()>())
}

/// The second of its checks has the leak.
#[test]
#[ignore = "a sample"]
fn leaks_late() {
    Checker::current_thread().assert(|| async {});
    Checker::current_thread().assert(|| async {
        spawn_late();
    });
    Checker::current_thread().assert(|| async {});
}

pub(crate) const LATE: u32 = line!() + 2;
fn spawn_late() {
    tokio::spawn(pending::<()>());
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a sample"]
async fn leaves_nothing() {
    tokio::spawn(async {}).await.unwrap();
}

#[leakcheck::test]
#[ignore = "a sample"]
async fn panics() {
    tokio::spawn(pending::<()>());
    panic!("the test's own failure");
}

#[leakcheck::test(deadline = "300ms")]
#[ignore = "a sample"]
async fn hangs() {
    pending::<()>().await;
}
