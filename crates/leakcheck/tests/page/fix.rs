//! The same uploads; a complete file's sender ends.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::{sync::mpsc, time::interval};

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

    // ANCHOR: finish
    /// Takes the last part of a file.
    async fn finish(&self, file: u64, part: Vec<u8>) {
        let tx = self.open.lock().unwrap().remove(&file);
        let tx = tx.expect("the upload has begun");
        tx.send(part).await.expect("the writer is there");
    }
    // ANCHOR_END: finish
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

/// A real service would write to a disk here.
async fn store(_part: Vec<u8>) {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

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
