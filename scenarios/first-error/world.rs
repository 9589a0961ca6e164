//! The outside world: customers, a warehouse that has run out of one thing, a bank that takes its time, and a courier.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{bail, ensure};
use tokio::{sync::Notify, time::sleep};

/// Between the two halves of a booking. It is long beside what the shop does, so that a busy machine cuts at the same place.
const BANK_TAKES: Duration = Duration::from_millis(500);

/// What a customer wants. The warehouse has it, or has run out of it.
#[derive(Clone)]
pub(crate) struct Order {
    in_stock: bool,
    /// Lives as long as somebody waits for the answer.
    customer: Weak<()>,
    /// The bank tells the warehouse that the first half of the booking is done; nobody else waits.
    half_booked: Arc<Notify>,
    /// The warehouse tells the courier that the parcel is packed; nobody else waits.
    packed: Arc<Notify>,
}

impl Order {
    fn new(in_stock: bool, customer: &Arc<()>) -> Self {
        Self {
            in_stock,
            customer: Arc::downgrade(customer),
            half_booked: Arc::default(),
            packed: Arc::default(),
        }
    }
}

/// Orders twice: one order is delivered, the other is refused.
pub(crate) async fn order_twice(
    check_out: impl AsyncFn(Order) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let customer = Arc::new(());
    check_out(Order::new(true, &customer)).await?;
    let answer = check_out(Order::new(false, &customer)).await;
    ensure!(answer.is_err(), "sold what is not there");
    Ok(())
}

/// Takes a thing off its shelf and packs it, or says that there is none: once the bank is between its two halves. What a
/// busy day brings now and then happens here every time.
pub(crate) async fn reserve(order: &Order) -> anyhow::Result<()> {
    order.half_booked.notified().await;
    if !order.in_stock {
        bail!("sold out");
    }
    order.packed.notify_one();
    Ok(())
}

/// Comes when the parcel is packed. Nobody packs what is not there.
pub(crate) async fn fetch(order: &Order) {
    order.packed.notified().await;
}

/// A real shop would reach it over the network, and give each booking a number by which it can be asked for again.
#[derive(Default)]
pub(crate) struct Bank {
    debited: AtomicU64,
    credited: AtomicU64,
    charged: AtomicU64,
}

impl Bank {
    /// The first half: the money leaves the customer's account.
    pub(crate) fn debit(&self, order: &Order) {
        self.debited.fetch_add(1, Ordering::Relaxed);
        order.half_booked.notify_one();
    }

    pub(crate) async fn transfer(&self, _order: &Order) {
        sleep(BANK_TAKES).await;
    }

    /// The second half: it reaches an account, the shop's or the customer's own.
    pub(crate) fn credit(&self, order: &Order, account: &str) {
        self.credited.fetch_add(1, Ordering::Relaxed);
        let gone = order.customer.strong_count() == 0;
        if account == "shop" && gone {
            self.charged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bookings for the shop that were finished after the customer had been refused, or had hung up.
    pub(crate) fn charged(&self) -> u64 {
        self.charged.load(Ordering::Relaxed)
    }

    /// Bookings under way, or cut in the middle.
    pub(crate) fn half_booked(&self) -> u64 {
        let credited = self.credited.load(Ordering::Relaxed);
        self.debited.load(Ordering::Relaxed).saturating_sub(credited)
    }
}
