//! Owns every task in a `JoinSet`: a set that is dropped ends what is in it.
//!
//! Run it: `cargo run --bin missing-cancel-join-set`
//!
//! You will see the count come back, and one half-packed order for every caller that hung up.

mod world;

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use tokio::{task::JoinSet, time::interval};
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
        // FIX: the handler owns the set, and the set its tasks.
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().search(order));
        tasks.join_next().await.context("no search")??
    }

    /// Finds a van, then clears up after itself.
    async fn search(
        self: Arc<Self>,
        order: Order,
    ) -> anyhow::Result<Van> {
        let arrival = self.clone().keep_arrival_fresh(order.clone());
        self.open.lock().unwrap().insert(order.id);
        let _row = Row(self.clone(), order.id);
        let mut tasks = JoinSet::new();
        tasks.spawn(arrival);
        self.pack(&order).await;
        Ok(self.yard.bid(&order).await)
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
