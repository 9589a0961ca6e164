//! Stops waiting for the search after a while; the search runs on.
//!
//! Run it: `cargo run --bin missing-cancel-wrong-timeout`
//!
//! You will see two tasks more for every caller, as without the timeout.

mod world;

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use tokio::time::{interval, timeout};
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
/// No answer within this time is an error.
const LIMIT: Duration = Duration::from_millis(400);

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
        let search = tokio::spawn(self.clone().search(order));
        // LEAK: this ends the wait for the search, not the search.
        timeout(LIMIT, search).await?.context("the search died")?
    }

    /// Finds a van, then clears up after itself.
    async fn search(
        self: Arc<Self>,
        order: Order,
    ) -> anyhow::Result<Van> {
        let arrival = self.clone().keep_arrival_fresh(order.clone());
        self.open.lock().unwrap().insert(order.id);
        let arrival = tokio::spawn(arrival);
        self.pack(&order).await;
        let van = self.yard.bid(&order).await;
        arrival.abort();
        self.open.lock().unwrap().remove(&order.id);
        Ok(van)
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
