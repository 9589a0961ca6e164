//! `#[leakcheck::test]` as its users write it. The tests that must fail run in a process of their own.

use std::{future::pending, process::Command, rc::Rc, time::Duration};

use tokio::time::{Instant, sleep};

#[leakcheck::test]
async fn a_clean_test_passes() {
    tokio::spawn(async {}).await.unwrap();
}

#[leakcheck::test]
async fn an_error_that_cannot_be_sent_may_be_returned() -> Result<(), Box<dyn std::error::Error>> {
    let kept = Rc::new(1);
    tokio::task::yield_now().await;
    assert_eq!(*kept, "1".parse::<i32>()?);
    Ok(())
}

#[leakcheck::test(start_paused = true)]
async fn the_clock_starts_paused() {
    let begun = (Instant::now(), std::time::Instant::now());
    sleep(Duration::from_secs(3_600)).await;
    assert!(begun.0.elapsed() >= Duration::from_secs(3_600));
    assert!(begun.1.elapsed() < Duration::from_secs(60), "an hour of virtual time takes no hour");
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 3, settle = "1s", deadline = "1m")]
async fn the_runtime_has_as_many_workers_as_said() {
    assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 3);
}

#[leakcheck::test(allow = ["tests/attribute.rs:35"])]
async fn what_is_allowed_may_stay() {
    tokio::spawn(pending::<()>());
}

#[leakcheck::test]
#[should_panic(expected = "leak: 1 task left\n  1 task spawned at crates/leakcheck/tests/attribute.rs:41:5: parked")]
async fn a_leak_is_a_panic_with_the_report() {
    tokio::spawn(pending::<()>());
}

#[leakcheck::test(allow_blocking = 1)]
async fn an_allowed_blocking_closure_may_stay() {
    static STOP: std::sync::Mutex<Option<std::sync::mpsc::Sender<()>>> = std::sync::Mutex::new(None);
    let (stop, stopped) = std::sync::mpsc::channel();
    *STOP.lock().unwrap() = Some(stop);
    tokio::task::spawn_blocking(move || stopped.recv());
}

#[leakcheck::test(flavor = "local")]
async fn a_local_runtime_needs_no_local_set() {
    let kept = Rc::new(1);
    assert_eq!(tokio::task::spawn_local(async move { *kept }).await.unwrap(), 1);
}

#[leakcheck::test(flavor = "local")]
#[should_panic(expected = "leak: 1 task left\n  1 task spawned at crates/leakcheck/tests/attribute.rs:")]
async fn what_spawn_local_leaves_is_a_leak() {
    tokio::task::spawn_local(pending::<()>());
}

#[leakcheck::test(horizon = "31s")]
async fn a_task_that_ends_before_the_horizon_is_clean() {
    tokio::spawn(sleep(Duration::from_secs(30)));
}

mod must_fail {
    use super::*;

    #[leakcheck::test]
    #[ignore = "fails on purpose; `a_failing_test_says_why` runs it"]
    async fn leaks() {
        tokio::spawn(pending::<()>());
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose; `a_failing_test_says_why` runs it"]
    async fn panics_and_leaks() {
        tokio::spawn(pending::<()>());
        panic!("the test's own failure");
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose; `a_failing_test_says_why` runs it"]
    async fn errs_and_leaks() -> Result<(), String> {
        tokio::spawn(pending::<()>());
        Err("the test's own error".into())
    }

    #[leakcheck::test(deadline = "300ms")]
    #[ignore = "fails on purpose; `a_failing_test_says_why` runs it"]
    async fn hangs() {
        tokio::spawn(pending::<()>()).await.unwrap();
    }

    #[leakcheck::test(deadline = "300ms")]
    #[ignore = "fails on purpose; `a_failing_test_says_why` runs it"]
    async fn blocks() {
        std::thread::park();
    }

    #[leakcheck::test]
    #[ignore = "passes; `a_failing_test_says_why` runs it beside the others"]
    async fn is_clean_beside_the_others() {
        tokio::spawn(sleep(Duration::from_millis(50)));
    }
}

#[test]
fn a_failing_test_says_why() {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own).args(["--ignored", "must_fail"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains("1 passed; 5 failed"), "{text}");
    // The output of one failing test, without that of the others.
    let section = |name: &str| {
        let (_, rest) = text.split_once(&format!("---- must_fail::{name} stdout ----")).expect("it failed");
        rest.split("\n---- ").next().unwrap().to_owned()
    };
    assert!(section("leaks").contains("leak: 1 task left\n  1 task spawned at"), "{text}");
    let panics = section("panics_and_leaks");
    assert!(panics.contains("the test's own failure") && panics.contains("note: besides the panic, leak: 1"), "{text}");
    let errs = section("errs_and_leaks");
    assert!(errs.contains("the test's own error") && errs.contains("note: besides the error, leak: 1"), "{text}");
    let overdue = "overdue: the test's body had not returned after 300 ms (`deadline` gives more)";
    let hangs = format!("{overdue}, 1 task alive\n  the body waits: it was polled once\n");
    assert!(section("hangs").contains(&hangs), "{text}");
    let blocks = format!("{overdue}\n  the body blocks its thread: it has been in one poll for ");
    assert!(section("blocks").contains(&blocks), "{text}");
}
