//! Await lines, where the build can give them and where it cannot.

#[cfg(feature = "await-lines")]
use std::time::Duration;

use leakcheck::{Checker, Report};
use tokio::sync::mpsc;

/// Waits for a message that does not come.
async fn read(mut inbox: mpsc::Receiver<()>) {
    inbox.recv().await; // AWAITED
}

fn line_of(mark: &str) -> usize {
    let mut lines = include_str!("await_lines.rs").lines();
    lines.position(|line| line.ends_with(mark)).expect("the mark is in this file") + 1
}

fn leak() -> Report {
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

/// The line with this mark, as reports say it.
#[cfg(feature = "await-lines")]
fn location(mark: &str) -> String {
    format!("crates/leakcheck/tests/await_lines.rs:{}:", line_of(mark))
}

#[cfg(feature = "await-lines")]
fn awaits(report: &Report, mark: &str) -> bool {
    let mut lines = report.survivors.iter().flat_map(|group| &group.awaits);
    lines.any(|line| line.location.starts_with(&location(mark)))
}

#[cfg(feature = "await-lines")]
fn both() -> [Checker; 2] {
    [Checker::current_thread(), Checker::multi_thread(2)].map(|checker| checker.await_lines(true))
}

#[test]
#[cfg(feature = "await-lines")]
fn the_report_names_the_line_a_left_task_awaits() {
    let report = leak();
    let reader = report.survivors.iter().find(|group| group.count == 1).expect("one reader is left");
    assert!(awaits(&report, "// AWAITED") && !reader.awaits.is_empty(), "{report:#?}");
    let silent = report.survivors.iter().find(|group| group.count == 3).expect("three tasks wait for nothing");
    assert!(silent.awaits.is_empty(), "`pending` has no line of ours, and none may be invented: {report:#?}");
}

#[test]
#[cfg(feature = "await-lines")]
fn a_dump_of_a_ticking_program_does_not_hang_the_test() {
    for checker in both() {
        let found = checker.find(|| async {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        });
        assert_eq!(found.report.tasks(), 1, "{}", found.report);
    }
}

#[cfg(feature = "await-lines")]
async fn wait_for_the_answer(mut answer: mpsc::Receiver<()>) {
    answer.recv().await; // BODY
}

#[test]
#[cfg(feature = "await-lines")]
fn an_overdue_body_is_named_with_its_line_and_so_are_its_tasks() {
    for checker in both() {
        let found = checker.deadline(Duration::from_millis(500)).find(|| async {
            let (_keep, inbox) = mpsc::channel(1);
            let (_silent, answer) = mpsc::channel(1);
            tokio::spawn(read(inbox));
            wait_for_the_answer(answer).await;
        });
        let report = found.report;
        assert!(awaits(&report, "// AWAITED"), "{report}");
        assert!(report.body_awaits.iter().any(|line| line.starts_with(&location("// BODY"))), "{report}");
        assert_eq!(report.no_await_lines, None, "{report}");
        let text = report.to_string();
        assert!(
            text.contains(&format!("  the body waits: it was polled once\n    awaiting at {}", location("// BODY")))
        );
        assert!(report.to_json().contains(&format!("\"awaits\":[\"{}", location("// BODY"))), "{}", report.to_json());
    }
}

/// The runtime's tasks have workers of their own, so their lines are there though the body's thread answers nobody.
#[test]
#[cfg(feature = "await-lines")]
fn a_body_that_blocks_is_no_reason_to_go_without_the_lines_of_tasks() {
    let body = || async {
        let (_keep, inbox) = mpsc::channel(1);
        tokio::spawn(read(inbox));
        tokio::time::sleep(Duration::from_millis(50)).await;
        std::thread::sleep(Duration::from_secs(600));
    };
    let [current, multi] = both().map(|checker| checker.deadline(Duration::from_millis(500)));
    let current = current.find(body).report;
    // The first dump of a process reads its debug information, and a busy machine may need longer for that than a dump may take.
    let mut dumps = (0..3).map(|_| multi.clone().find(body).report);
    let came_back = |report: &Report| report.no_await_lines.is_none() && awaits(report, "// AWAITED");
    assert!(dumps.any(|report| came_back(&report)), "none of three dumps of a multi_thread runtime came back");
    assert!(
        current.to_string().contains("no await lines: a task dump needs the thread that the body blocks\n"),
        "{current}"
    );
}

#[test]
#[cfg(feature = "await-lines")]
fn where_nothing_awaits_the_report_says_that() {
    for checker in both() {
        let blocks = checker.clone().deadline(Duration::from_millis(300));
        let report = blocks.find(|| async { std::thread::sleep(Duration::from_secs(600)) }).report;
        let why = "no await lines: no task is left, and a body that blocks awaits nothing\n";
        assert!(report.to_string().contains(why), "{report}");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let report = checker.find(|| async { drop(tokio::task::spawn_blocking(move || stopped.recv())) }).report;
        let why = "no await lines: no task is left, and a closure of the blocking pool awaits nothing\n";
        assert!(report.to_string().contains(why), "{report}");
        drop(stop);
    }
}

/// A dump needs all of the runtime's threads.
#[test]
#[cfg(feature = "await-lines")]
fn after_a_task_that_never_yields_the_reason_is_that_task() {
    let body = || async { drop(tokio::spawn(async { std::thread::sleep(Duration::from_secs(600)) })) };
    let [current, multi] = both().map(|checker| checker.find(body).report);
    let why = "no await lines: a task dump needs the thread of the task that never yields\n";
    assert!(current.to_string().contains(why), "{current}");
    let why = "within 2 s: it waits for every worker, and a task never yields\n";
    assert!(multi.to_string().contains(why), "{multi}");
    let joins = || async {
        tokio::spawn(async { std::thread::sleep(Duration::from_secs(600)) }).await.unwrap();
    };
    let found = Checker::current_thread().await_lines(true).deadline(Duration::from_millis(500)).find(joins);
    let why = "no await lines: a task dump needs the thread of the task that never yields\n";
    assert!(found.report.to_string().contains(why), "{}", found.report);
}

#[test]
#[cfg(not(feature = "await-lines"))]
fn without_the_feature_the_report_says_why_there_are_no_lines() {
    let overdue = Checker::current_thread().await_lines(true).deadline(std::time::Duration::from_millis(200));
    for report in [leak(), overdue.find(std::future::pending::<()>).report] {
        assert!(!report.is_clean());
        assert!(
            report.to_string().contains("no await lines: they need Linux and leakcheck's feature `await-lines`"),
            "{report}"
        );
    }
    assert_eq!(line_of("// AWAITED"), 11);
}
