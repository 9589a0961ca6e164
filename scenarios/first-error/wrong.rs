//! Lets a tracker own the steps, and leaves by `?` before it waits.
//!
//! A shop asks the warehouse, the bank and a courier at once, and the warehouse says no.
//!
//! Run it: `cargo run --bin first-error-wrong`
//!
//! You will see what you saw without it: a tracker that is dropped ends nothing.

mod world;

use std::{process::ExitCode, sync::Arc};

use futures_util::future::try_join_all;
use tokio_util::task::TaskTracker;
use world::{Bank, Order, fetch, order_twice, reserve};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let shop = Arc::new(Shop::default());
        shop.show_gauges(stage);
        stage.load(async |_| shop.serve().await).await;
        Ok(shop)
    })
}

// ANCHOR: service
#[derive(Default)]
struct Shop {
    bank: Bank,
}

impl Shop {
    /// Three steps at once; the first error is the answer.
    async fn check_out(
        self: &Arc<Self>,
        order: Order,
    ) -> anyhow::Result<()> {
        let group = TaskTracker::new();
        let steps = [
            group.spawn(pack(order.clone())),
            group.spawn(self.clone().pay(order.clone())),
            group.spawn(deliver(order)),
        ];
        // LEAK: at an error, `?` returns before the wait below.
        try_join_all(steps.map(async |step| step.await?)).await?;
        group.close();
        group.wait().await;
        Ok(())
    }

    /// Two halves that belong together: not to be cut.
    async fn pay(
        self: Arc<Self>,
        order: Order,
    ) -> anyhow::Result<()> {
        self.bank.debit(&order);
        self.bank.transfer(&order).await;
        self.bank.credit(&order, "shop");
        Ok(())
    }
}

async fn pack(order: Order) -> anyhow::Result<()> {
    reserve(&order).await
}

/// Waits until the parcel is packed, however long that takes.
async fn deliver(order: Order) -> anyhow::Result<()> {
    fetch(&order).await;
    Ok(())
}
// ANCHOR_END: service

impl Shop {
    async fn serve(self: &Arc<Self>) -> anyhow::Result<()> {
        order_twice(async |order| self.check_out(order).await).await
    }

    fn show_gauges(self: &Arc<Self>, stage: &stage::Stage) {
        let shop = self.clone();
        stage.gauge("charged", move || shop.bank.charged());
        let shop = self.clone();
        stage.gauge("half_booked", move || shop.bank.half_booked());
    }
}
