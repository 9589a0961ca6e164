//! The outside world: cars that are plugged in and out, an exchange whose price changes, and the office that takes the bills.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{interval, sleep},
};

/// The exchange has a new price this often, night and day.
const PRICE_EVERY: Duration = Duration::from_millis(250);
/// Samples of one charge, and the time between two.
const SAMPLES: u64 = 3;
const SAMPLE_EVERY: Duration = Duration::from_millis(20);

/// What a plug measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) watt_hours: u64,
}

/// A car charges; its plug sends every sample. When this returns, the car has gone.
pub(crate) async fn charge(
    send: impl AsyncFn(Sample) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for n in 1..=SAMPLES {
        send(Sample { watt_hours: 100 * n }).await?;
        sleep(SAMPLE_EVERY).await;
    }
    Ok(())
}

/// Sends prices, every meter receives; open as long as the park is. The one task is the exchange's own.
pub(crate) fn exchange() -> (JoinSet<()>, watch::Receiver<u64>) {
    let (prices, current) = watch::channel(30);
    let mut exchange = JoinSet::new();
    exchange.spawn(async move {
        let mut tick = interval(PRICE_EVERY);
        loop {
            tick.tick().await;
            prices
                .send_modify(|cents| *cents = 30 + (*cents + 1) % 7);
        }
    });
    (exchange, current)
}

/// Counts the bills that are open. A bill reaches it when the meter lets go of it.
#[derive(Clone, Default)]
pub(crate) struct Office(Arc<AtomicU64>);

impl Office {
    pub(crate) fn open_bill(&self) -> Bill {
        self.0.fetch_add(1, Ordering::Relaxed);
        Bill { office: self.clone(), cents: 0 }
    }

    pub(crate) fn open_bills(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one charge costs so far. A real one would be written to a ledger when it is closed.
pub(crate) struct Bill {
    office: Office,
    cents: u64,
}

impl Bill {
    pub(crate) fn add(&mut self, sample: Sample, price: u64) {
        self.cents += sample.watt_hours * price / 1_000;
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        self.office.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Processor time that this program has used, in milliseconds: user and system, all threads.
pub(crate) fn cpu_ms() -> u64 {
    let used = rustix::time::clock_gettime(
        rustix::time::ClockId::ProcessCPUTime,
    );
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    seconds * 1_000
        + u64::try_from(used.tv_nsec).unwrap_or(0) / 1_000_000
}
