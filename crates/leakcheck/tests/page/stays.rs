//! Tasks that are meant to stay.

use std::{future::pending, time::Duration};

use tokio::time::interval;

async fn flush_metrics() {
    let mut tick = interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
    }
}

// ANCHOR: daemon
#[leakcheck::test]
async fn a_declared_daemon_may_stay() {
    leakcheck::daemon("metrics", || tokio::spawn(flush_metrics()));
}
// ANCHOR_END: daemon

// ANCHOR: allow
#[leakcheck::test(allow = "tests/page/stays.rs")]
async fn a_task_spawned_in_this_file_may_stay() {
    tokio::spawn(flush_metrics());
}
// ANCHOR_END: allow

#[leakcheck::test]
#[should_panic(expected = "leak: 1 task left")]
async fn an_undeclared_daemon_is_a_leak() {
    tokio::spawn(pending::<()>());
}

#[leakcheck::test]
async fn a_task_that_ends_within_ten_virtual_seconds_is_no_leak() {
    tokio::spawn(tokio::time::sleep(Duration::from_secs(9)));
}

#[leakcheck::test]
#[should_panic(expected = "leak: 1 task left")]
async fn a_task_that_sleeps_longer_is_one() {
    tokio::spawn(tokio::time::sleep(Duration::from_secs(11)));
}

#[leakcheck::test(start_paused = true, settle = "12s")]
async fn unless_the_test_says_how_long_to_wait() {
    tokio::spawn(tokio::time::sleep(Duration::from_secs(11)));
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_clock_cannot_be_paused_a_pending_timer_is_waited_for() {
    tokio::spawn(tokio::time::sleep(Duration::from_secs(2)));
}

/// Forgotten on purpose: both ends stay open, and no task holds them.
#[leakcheck::test]
async fn a_pipe_that_stays_open_is_no_task() {
    let ends = std::io::pipe().expect("the system has a pipe left");
    std::mem::forget(ends);
}
