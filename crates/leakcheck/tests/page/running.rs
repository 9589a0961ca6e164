//! Checks in a program that runs, and checks of growth.

use std::{future::pending, io};

use leakcheck::Report;
use tokio::{runtime::Builder, sync::oneshot};

async fn handle_request() {
    tokio::spawn(pending::<()>());
}

// ANCHOR: attach
fn watch_one_request() -> io::Result<Report> {
    let mut builder = Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.enable_all()).install();
    let runtime = builder.build()?;
    let report = runtime.block_on(async {
        let scope = watch.scope();
        handle_request().await;
        scope.find().await
    });
    Ok(report)
}
// ANCHOR_END: attach

#[test]
fn a_running_program_can_report_one_request() {
    let json = watch_one_request().unwrap().to_json();
    assert!(json.contains(r#""tasks":1"#) && json.contains(r#"tests/page/running.rs","line":9,"#), "{json}");
}

/// A pool keeps one task for its lifetime. Each call adds one that waits for an answer nobody gives.
#[derive(Default)]
struct Pool {
    unanswered: Vec<oneshot::Sender<()>>,
}

impl Pool {
    fn new() -> Self {
        tokio::spawn(pending::<()>());
        Self::default()
    }

    fn call(&mut self) {
        let (answer, answered) = oneshot::channel();
        tokio::spawn(answered);
        self.unanswered.push(answer);
    }
}

#[should_panic(expected = "leak: 11 left after 10 operations, 41 after 40")]
// ANCHOR: growth
#[test]
fn a_call_adds_no_task() {
    leakcheck::Growth::of(10).assert(|calls| async move {
        let mut pool = Pool::new();
        (0..calls).for_each(|_| pool.call());
        // What is returned lives until the verdict.
        pool
    });
}
// ANCHOR_END: growth

#[test]
fn the_page_shows_the_growth_of_the_failing_test() {
    let panic = std::panic::catch_unwind(a_call_adds_no_task).unwrap_err();
    let report = panic.downcast_ref::<String>().expect("the report is the panic's message");
    if !crate::is_written("growth.txt", report) {
        assert_eq!(report, include_str!("growth.txt"));
    }
}
