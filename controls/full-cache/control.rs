//! Ends the refresher of a quote that it drops.
//!
//! A quote server keeps the prices that were asked for last, and a task refreshes each.
//!
//! Run it: `cargo run --bin full-cache-control`
//!
//! You will see ten tasks more, and then each new one takes the place of an old one.

use std::{
    collections::{HashMap, VecDeque},
    process::ExitCode,
    sync::{Arc, Mutex},
};

use tokio::{sync::watch, task::AbortHandle};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let desk = Desk::open();
        let shown = desk.clone();
        stage.gauge("quotes_kept", move || shown.kept() as u64);
        stage.load(async |n| desk.asked(n)).await;
        Ok(desk)
    })
}

// ANCHOR: service
/// The cache holds so many quotes.
const QUOTES_MAX: usize = 10;

struct Desk {
    kept: Mutex<Kept>,
    /// The exchange sends when a price moves; each refresher receives;
    /// open as long as the desk is.
    market: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    quotes: HashMap<u64, AbortHandle>,
    /// The oldest first.
    order: VecDeque<u64>,
}

impl Desk {
    /// Keeps the quote of a share, and the price in it fresh.
    fn quote(&self, share: u64) {
        let mut kept = self.kept.lock().unwrap();
        if kept.quotes.contains_key(&share) {
            return;
        }
        if kept.quotes.len() == QUOTES_MAX
            && let Some(oldest) = kept.order.pop_front()
            && let Some(refresher) = kept.quotes.remove(&oldest)
        {
            // BOUND: no more refreshers than quotes.
            refresher.abort();
        }
        let refresher =
            tokio::spawn(refresh(self.market.subscribe()));
        kept.quotes.insert(share, refresher.abort_handle());
        kept.order.push_back(share);
    }
}

/// A real refresher writes the new price into its quote.
async fn refresh(mut market: watch::Receiver<u64>) {
    while market.changed().await.is_ok() {}
}
// ANCHOR_END: service

impl Desk {
    fn open() -> Arc<Self> {
        let (kept, market) =
            (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { kept, market })
    }

    fn asked(&self, number: u64) -> anyhow::Result<()> {
        self.quote(number);
        Ok(())
    }

    fn kept(&self) -> usize {
        self.kept.lock().unwrap().quotes.len()
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    const FULL: u64 = QUOTES_MAX as u64;
    const LEAKS: bool = false;

    /// A desk after so many quotes.
    async fn after(quotes: u64) -> Arc<Desk> {
        let desk = Desk::open();
        (0..quotes).for_each(|number| desk.asked(number).unwrap());
        desk
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn a_full_cache_adds_nothing() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let bounded = checker.clone().allow_at_most(file!(), 10);
            let report = bounded.find(|| after(4 * FULL)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(FULL).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
