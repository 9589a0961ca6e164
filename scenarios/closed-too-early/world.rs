//! The outside world: the day's customers, and a ledger on another machine, whose line is down when the shop closes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// Customers of one day.
const SALES: u64 = 8;
/// Sales that are booked before the line fails; the next one is on its way then.
const BEFORE_FAULT: u64 = 3;
/// What the ledger takes for one sale.
const BOOKING: Duration = Duration::from_millis(2);

pub(crate) struct Sale {
    pub(crate) _amount: u64,
}

pub(crate) fn sales() -> impl Iterator<Item = Sale> {
    (1..=SALES).map(|amount| Sale { _amount: amount })
}

/// The ledger of one day. A real one would be a database; a write into it would have a deadline.
#[derive(Default)]
pub(crate) struct Ledger {
    booked: AtomicU64,
    /// The day sends, bookings receive; it closes with the day.
    line: watch::Sender<Line>,
}

#[derive(Default)]
struct Line {
    awaited: bool,
    mended: bool,
}

impl Ledger {
    pub(crate) async fn book(&self, _sale: Sale) {
        if self.booked() == BEFORE_FAULT {
            self.line.send_modify(|line| line.awaited = true);
            self.until(|line| line.mended).await;
        }
        sleep(BOOKING).await;
        self.booked.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn booked(&self) -> u64 {
        self.booked.load(Ordering::Relaxed)
    }

    /// The line is down, and a sale waits for it.
    pub(crate) async fn fault(&self) {
        self.until(|line| line.awaited).await;
    }

    pub(crate) async fn mend(&self) {
        self.line.send_modify(|line| line.mended = true);
    }

    async fn until(&self, so: impl FnMut(&Line) -> bool) {
        let mut line = self.line.subscribe();
        line.wait_for(so).await.expect("the ledger is the sender");
    }
}
