//! Starts a shard for each document.
//!
//! A search index spreads its documents over shards, five for each core.
//!
//! Run it: `cargo run --bin per-core-leak`
//!
//! You will see ten tasks, as in the control, and then one more for every document.

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use tokio::sync::mpsc;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let index = Index::open();
        stage.load(async |n| index.document(n).await).await;
        Ok(index)
    })
}

// ANCHOR: service
struct Index {
    /// Writers send; the shard's task receives, and ends when the
    /// sender here is gone.
    open: Mutex<HashMap<u64, mpsc::Sender<u64>>>,
}

impl Index {
    async fn add(&self, document: u64) -> anyhow::Result<()> {
        // LEAK: the remainder is forgotten; each document is a shard.
        let shard = hash(document);
        let writer = self.writer(shard);
        Ok(writer.send(document).await?)
    }

    /// The shard's queue; its task starts with its first document.
    fn writer(&self, shard: u64) -> mpsc::Sender<u64> {
        let mut open = self.open.lock().unwrap();
        let start = || {
            let (writer, documents) = mpsc::channel(8);
            tokio::spawn(write(documents));
            writer
        };
        open.entry(shard).or_insert_with(start).clone()
    }
}

/// A real shard writes to its file here.
async fn write(mut documents: mpsc::Receiver<u64>) {
    while documents.recv().await.is_some() {}
}

/// A real index takes a better one.
fn hash(document: u64) -> u64 {
    document.wrapping_mul(11)
}
// ANCHOR_END: service

impl Index {
    fn open() -> Arc<Self> {
        Arc::new(Self { open: Mutex::default() })
    }

    async fn document(&self, number: u64) -> anyhow::Result<()> {
        self.add(number).await
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    /// After so many documents each shard is in use.
    const USED: u64 = 10;
    const LEAKS: bool = true;

    /// An index after so many documents.
    async fn after(documents: u64) -> Arc<Index> {
        let index = Index::open();
        for number in 0..documents {
            index.document(number).await.unwrap();
        }
        index
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn every_shard_in_use_adds_nothing() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let bounded = checker.clone().allow_at_most(file!(), 10);
            let report = bounded.find(|| after(4 * USED)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(USED).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
