//! Spawns three steps, and returns at the first error.
//!
//! A shop asks the warehouse, the bank and a courier at once, and the warehouse says no.
//!
//! Run it: `cargo run --bin first-error-leak`
//!
//! You will see one task more for every order that is refused, and one customer who has paid for it.

mod world;

use std::{process::ExitCode, sync::Arc};

use futures_util::future::try_join_all;
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
        let steps = [
            tokio::spawn(pack(order.clone())),
            tokio::spawn(self.clone().pay(order.clone())),
            tokio::spawn(deliver(order)),
        ];
        // LEAK: an error drops the other handles; their tasks run on.
        try_join_all(steps.map(async |step| step.await?)).await?;
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

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    #[should_panic(
        expected = "20 tasks spawned at scenarios/first-error/leak.rs"
    )]
    async fn a_refused_order_leaves_nothing_behind() {
        let shop = Arc::new(Shop::default());
        // The clock stands still, and the bank takes its time.
        let second = Duration::from_secs(1);
        let orders = leakcheck::scope().horizon(second);
        for _ in 0..20 {
            shop.serve().await.unwrap();
        }
        // The shop lives on, and only the orders are over.
        orders.assert().await;
        assert_eq!(shop.bank.charged(), 0, "paid for nothing");
        assert_eq!(shop.bank.half_booked(), 0, "money lost");
    }
    // ANCHOR_END: guard
}
