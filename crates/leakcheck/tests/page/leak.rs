//! Uploads whose writers are never told that the file is complete.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::{sync::mpsc, time::interval};

// ANCHOR: service
/// Takes files in parts, many files at a time.
#[derive(Default)]
struct Uploads {
    /// The inbox of each file's writer.
    open: Mutex<HashMap<u64, mpsc::Sender<Vec<u8>>>>,
}

impl Uploads {
    fn begin(&self, file: u64) {
        // `finish` sends, one writer receives; the end of the last
        // sender closes.
        let (tx, rx) = mpsc::channel(4);
        self.open.lock().unwrap().insert(file, tx);
        tokio::spawn(write(rx));
    }

    /// Takes the last part of a file.
    async fn finish(&self, file: u64, part: Vec<u8>) {
        let tx = self.open.lock().unwrap().get(&file).cloned();
        let tx = tx.expect("the upload has begun");
        tx.send(part).await.expect("the writer is there");
    }
}

/// Stores parts until no more can come.
async fn write(mut parts: mpsc::Receiver<Vec<u8>>) {
    let progress = tokio::spawn(show_progress());
    while let Some(part) = parts.recv().await {
        store(part).await;
    }
    progress.abort();
}

/// Moves the bar on the visitor's page.
async fn show_progress() {
    let mut tick = interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
    }
}
// ANCHOR_END: service

/// A real service would write to a disk here.
async fn store(_part: Vec<u8>) {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[should_panic(expected = "leak: 6 tasks left")]
// ANCHOR: test
#[leakcheck::test]
async fn a_complete_upload_leaves_no_task_behind() {
    let uploads = Uploads::default();
    let scope = leakcheck::scope();
    for file in 0..3 {
        uploads.begin(file);
        uploads.finish(file, vec![0; 512]).await;
    }
    scope.assert().await;
}
// ANCHOR_END: test

/// The same test without a scope: the senders end with `uploads`, before the check.
#[leakcheck::test]
async fn what_ends_with_the_body_is_no_leak() {
    let uploads = Uploads::default();
    for file in 0..3 {
        uploads.begin(file);
        uploads.finish(file, vec![0; 512]).await;
    }
}

#[test]
fn the_page_shows_the_report_of_the_failing_test() {
    let panic = std::panic::catch_unwind(a_complete_upload_leaves_no_task_behind).unwrap_err();
    let report = panic.downcast_ref::<String>().expect("the report is the panic's message");
    if crate::is_written("report.txt", report) {
        return;
    }
    assert_eq!(without_times(report), without_times(include_str!("report.txt")), "report.txt must be:\n{report}");
}

/// Ages depend on how busy the machine is; each stands last on its line. So does for how long the check waited.
fn without_times(report: &str) -> Vec<&str> {
    let lines = report.lines().filter(|line| !line.starts_with("  waited "));
    lines.map(|line| line.rsplit_once("; ").map_or(line, |(rest, _)| rest)).collect()
}
