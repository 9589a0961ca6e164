//! Cancels a token when the handler ends, and every task below watches it.
//!
//! A delivery desk looks for a van for an order while the caller waits.
//!
//! Run it: `cargo run --bin missing-cancel-fix`
//!
//! You will see the count rise while callers wait, and come back to where it started.

mod world;

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use world::{Order, Van, Yard, call_twice};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let desk = Arc::new(Desk::default());
        desk.show_gauges(stage);
        stage.load(async |caller| desk.serve(caller).await).await;
        Ok(desk)
    })
}

// ANCHOR: service
#[derive(Default)]
struct Desk {
    /// Orders that the status page shows as being searched.
    open: Mutex<HashSet<u64>>,
    yard: Yard,
}

impl Desk {
    /// The handler of a request. The server drops it, at any
    /// `.await`, when the caller hangs up.
    async fn find_van(
        self: &Arc<Self>,
        order: Order,
    ) -> anyhow::Result<Van> {
        let stop = CancellationToken::new();
        // FIX: every way out of here drops this guard, which cancels.
        let _guard = stop.clone().drop_guard();
        let search = tokio::spawn(self.clone().search(order, stop));
        search.await.context("the search died")?
    }

    /// Finds a van, then clears up after itself.
    async fn search(
        self: Arc<Self>,
        order: Order,
        stop: CancellationToken,
    ) -> anyhow::Result<Van> {
        let arrival = self.clone().keep_arrival_fresh(order.clone());
        self.open.lock().unwrap().insert(order.id);
        let _row = Row(self.clone(), order.id);
        let child = stop.child_token();
        tokio::spawn(child.run_until_cancelled_owned(arrival));
        self.pack(&order).await;
        let van = stop.run_until_cancelled(self.yard.bid(&order));
        van.await.context("the caller hung up")
    }

    /// Two halves that belong together: not to be cut.
    async fn pack(&self, order: &Order) {
        self.yard.take_off_shelf(order);
        self.yard.carry(order).await;
        self.yard.put_on_list(order);
    }

    /// Keeps the arrival time on the caller's page fresh.
    async fn keep_arrival_fresh(self: Arc<Self>, order: Order) {
        let mut tick = interval(Duration::from_millis(250));
        loop {
            tick.tick().await;
            self.yard.ask_map(&order);
        }
    }
}

/// A row of the status page: gone once, on every path.
struct Row(Arc<Desk>, u64);
impl Drop for Row {
    fn drop(&mut self) {
        self.0.open.lock().unwrap().remove(&self.1);
    }
}
// ANCHOR_END: service

impl Desk {
    async fn serve(
        self: &Arc<Self>,
        caller: u64,
    ) -> anyhow::Result<()> {
        call_twice(caller, async |order| self.find_van(order).await)
            .await
    }

    fn show_gauges(self: &Arc<Self>, stage: &stage::Stage) {
        let desk = self.clone();
        stage.gauge("open_searches", move || {
            desk.open.lock().unwrap().len() as u64
        });
        let desk = self.clone();
        stage.gauge("half_packed", move || desk.yard.half_packed());
        let desk = self.clone();
        stage.gauge("packed_late", move || desk.yard.packed_late());
    }
}

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn a_caller_that_hangs_up_leaves_nothing_behind() {
        let desk = Arc::new(Desk::default());
        // The clock stands still. In a second of it, ticks are seen.
        let second = Duration::from_secs(1);
        let calls = leakcheck::scope().horizon(second);
        for caller in 0..20 {
            desk.serve(caller).await.unwrap();
        }
        // The desk lives on, and only the calls are over.
        calls.assert().await;
        assert_eq!(desk.open.lock().unwrap().len(), 0, "rows left");
        assert_eq!(desk.yard.half_packed(), 0, "parcels torn");
    }
    // ANCHOR_END: guard
}
