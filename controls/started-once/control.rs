//! Enters a compactor in the list before it starts.
//!
//! An event bus starts a compactor for each topic at the first event.
//!
//! Run it: `cargo run --bin started-once-control`
//!
//! You will see ten tasks more, and then no other.

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let bus = Arc::new(Bus::default());
        stage.load(async |n| bus.event(n)).await;
        Ok(bus)
    })
}

/// Events come for these topics, in turn.
const TOPICS: u64 = 10;

// ANCHOR: service
/// So many events of a topic are one batch.
const BATCH: u64 = 1_000;

#[derive(Default)]
struct Bus {
    /// Topics that have a compactor.
    running: Mutex<HashSet<u64>>,
    events: [AtomicU64; TOPICS as usize],
    /// The publisher notifies at each batch; the compactor waits, for
    /// as long as the bus is there.
    batch: [Notify; TOPICS as usize],
    batches: AtomicU64,
}

impl Bus {
    fn publish(self: &Arc<Self>, topic: u64) {
        self.ensure_compactor(topic);
        let events = &self.events[topic as usize];
        let before = events.fetch_add(1, Ordering::Relaxed);
        if (before + 1).is_multiple_of(BATCH) {
            self.batch[topic as usize].notify_one();
        }
    }

    /// Starts the compactor of a topic at its first event.
    fn ensure_compactor(self: &Arc<Self>, topic: u64) {
        // BOUND: entered before it starts, so the next event finds it.
        if !self.running.lock().unwrap().insert(topic) {
            return;
        }
        tokio::spawn(self.clone().compact(topic));
    }

    async fn compact(self: Arc<Self>, topic: u64) {
        loop {
            self.batch[topic as usize].notified().await;
            // A real compactor rewrites the topic's file here.
            self.batches.fetch_add(1, Ordering::Relaxed);
        }
    }
}
// ANCHOR_END: service

impl Bus {
    fn event(self: &Arc<Self>, number: u64) -> anyhow::Result<()> {
        self.publish(number % TOPICS);
        Ok(())
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    const LEAKS: bool = false;

    /// A bus after so many events.
    async fn after(events: u64) -> Arc<Bus> {
        let bus = Arc::new(Bus::default());
        (0..events).for_each(|number| bus.event(number).unwrap());
        bus
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn a_known_topic_starts_nothing() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let bounded = checker.clone().allow_at_most(file!(), 10);
            let report = bounded.find(|| after(4 * TOPICS)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(TOPICS).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
