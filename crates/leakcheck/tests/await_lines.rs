//! Await lines, where the build can give them and where it cannot.

use leakcheck::Checker;
use tokio::sync::mpsc;

/// Waits for a message that does not come.
async fn read(mut inbox: mpsc::Receiver<()>) {
    inbox.recv().await; // AWAITED
}

fn line_of(mark: &str) -> usize {
    let mut lines = include_str!("await_lines.rs").lines();
    lines.position(|line| line.ends_with(mark)).expect("the mark is in this file") + 1
}

fn leak() -> leakcheck::Report {
    let found = Checker::current_thread().await_lines(true).find(|| async {
        let (keep, inbox) = mpsc::channel(1);
        for _ in 0..3 {
            tokio::spawn(std::future::pending::<()>());
        }
        tokio::spawn(read(inbox));
        tokio::task::yield_now().await;
        keep
    });
    found.report
}

#[test]
#[cfg(feature = "await-lines")]
fn the_report_names_the_line_a_left_task_awaits() {
    let report = leak();
    let reader = report.survivors.iter().find(|group| group.count == 1).expect("one reader is left");
    let awaited = format!("crates/leakcheck/tests/await_lines.rs:{}:", line_of("// AWAITED"));
    assert!(reader.awaits.iter().any(|line| line.location.starts_with(&awaited)), "{awaited}: {report:#?}");
    let silent = report.survivors.iter().find(|group| group.count == 3).expect("three tasks wait for nothing");
    assert!(silent.awaits.is_empty(), "`pending` has no line of ours, and none may be invented: {report:#?}");
}

#[test]
#[cfg(feature = "await-lines")]
fn a_dump_of_a_ticking_program_does_not_hang_the_test() {
    for checker in [Checker::current_thread(), Checker::multi_thread(2)] {
        let found = checker.await_lines(true).find(|| async {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        });
        assert_eq!(found.report.tasks(), 1, "{}", found.report);
    }
}

#[test]
#[cfg(not(feature = "await-lines"))]
fn without_the_feature_the_report_says_why_there_are_no_lines() {
    let report = leak();
    assert_eq!(report.tasks(), 4);
    assert!(
        report.to_string().contains("no await lines: they need Linux and leakcheck's feature `await-lines`"),
        "{report}"
    );
    assert_eq!(line_of("// AWAITED"), 8);
}
