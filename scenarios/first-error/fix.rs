//! Ends the other steps at the first error, and answers when they have ended.
//!
//! A shop asks the warehouse, the bank and a courier at once, and the warehouse says no.
//!
//! Run it: `cargo run --bin first-error-fix`
//!
//! You will see the count rise while orders are under way, and come back to where it started.

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use futures_util::future::try_join_all;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
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
        let (group, stop) =
            (TaskTracker::new(), CancellationToken::new());
        // A caller who hangs up ends the group too.
        let _hung_up = stop.clone().drop_guard();
        let steps = [
            group.spawn(pack(order.clone())),
            group
                .spawn(self.clone().pay(order.clone(), stop.clone())),
            group.spawn(deliver(order, stop.clone())),
        ];
        let answer =
            try_join_all(steps.map(async |step| step.await?)).await;
        // FIX: ends the other steps, and waits until they have ended.
        stop.cancel();
        group.close();
        group.wait().await;
        answer.map(drop)
    }

    /// Two halves that belong together: not to be cut.
    async fn pay(
        self: Arc<Self>,
        order: Order,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        self.bank.debit(&order);
        self.bank.transfer(&order).await;
        // Refused meanwhile: the booking ends where it began.
        let refused = stop.is_cancelled();
        let account = if refused { "customer" } else { "shop" };
        self.bank.credit(&order, account);
        Ok(())
    }
}

async fn pack(order: Order) -> anyhow::Result<()> {
    reserve(&order).await
}

/// Waits until the parcel is packed, or the order is refused.
async fn deliver(
    order: Order,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let parcel = stop.run_until_cancelled(fetch(&order));
    parcel.await.context("the order was refused")
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
mod owner;
#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
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
