//! Reads the samples of all plugs from one feed, and returns when a channel closes.
//!
//! A charging park bills every car that is plugged in, at a price that changes.
//!
//! Run it: `cargo run --bin select-without-exit-wrong-feed`
//!
//! You will see one task more after every charge: every branch has an end, and none is the end of the charge.

mod world;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    task::JoinSet,
};
use world::{Office, Sample, charge, cpu_ms, exchange};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let park = Park::open();
        let office = park.office.clone();
        stage.gauge("open_bills", move || office.open_bills());
        stage.gauge("cpu_ms", cpu_ms);
        stage.load(async |_| park.plug_in().await).await;
        Ok(park)
    })
}

// ANCHOR: service
/// Samples that wait for the slowest meter.
const QUEUE: usize = 256;

struct Park {
    office: Office,
    charges: AtomicU64,
    /// All plugs send, all meters receive; closed with the park.
    feed: broadcast::Sender<(u64, Sample)>,
    /// The exchange sends, meters receive; closed with the park.
    prices: watch::Receiver<u64>,
    _exchange: JoinSet<()>,
}

impl Park {
    fn open() -> Self {
        let (exchange, prices) = exchange();
        Self {
            office: Office::default(),
            charges: AtomicU64::default(),
            feed: broadcast::Sender::new(QUEUE),
            prices,
            _exchange: exchange,
        }
    }

    /// From plugging in to unplugging.
    async fn plug_in(&self) -> anyhow::Result<()> {
        let id = self.charges.fetch_add(1, Ordering::Relaxed);
        let (feed, office) =
            (self.feed.subscribe(), self.office.clone());
        tokio::spawn(meter(id, feed, self.prices.clone(), office));
        charge(async |sample| {
            self.feed.send((id, sample))?;
            Ok(())
        })
        .await
    }
}

// ANCHOR: meter
/// Bills every sample of one charge at the price of its moment.
async fn meter(
    id: u64,
    mut feed: broadcast::Receiver<(u64, Sample)>,
    mut prices: watch::Receiver<u64>,
    office: Office,
) {
    let mut bill = office.open_bill();
    let mut price = *prices.borrow_and_update();
    loop {
        // LEAK: neither branch ends when the charge ends.
        tokio::select! {
            sample = feed.recv() => match sample {
                Ok((of, sample)) if of == id => {
                    bill.add(sample, price);
                }
                // A real meter would say what it has missed.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            changed = prices.changed() => match changed {
                Ok(()) => price = *prices.borrow_and_update(),
                Err(_) => return,
            },
        }
    }
}
// ANCHOR_END: meter
// ANCHOR_END: service
