//! Reads one feed of all plugs, as `wrong-feed` does, with one more branch for the end of the task's own car.
//!
//! A charging park bills every car that is plugged in, at a price that changes.
//!
//! Run it: `cargo run --bin select-without-exit-token`
//!
//! You will see the count rise while cars charge, and come back to the exchange's own task.

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
use tokio_util::sync::CancellationToken;
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
        let stop = CancellationToken::new();
        let _unplugged = stop.clone().drop_guard();
        let prices = self.prices.clone();
        tokio::spawn(meter(id, feed, prices, office, stop));
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
    stop: CancellationToken,
) {
    let mut bill = office.open_bill();
    let mut price = *prices.borrow_and_update();
    loop {
        tokio::select! {
            biased;
            // FIX: this branch ends the loop, and is looked at first.
            () = stop.cancelled() => return,
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
