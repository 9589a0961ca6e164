//! Calls `try_recv` every 10 ms instead of waiting, as a Go `select` with a `default` does.
//!
//! A charging park bills every car that is plugged in, at a price that changes.
//!
//! Run it: `cargo run --bin select-without-exit-wrong-poll`
//!
//! You will see the same count, and a processor that is busy for cars that have gone.

mod world;

use std::{process::ExitCode, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
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
/// Samples that wait for a meter.
const QUEUE: usize = 8;
/// Between two looks.
const TICK: Duration = Duration::from_millis(10);

struct Park {
    office: Office,
    /// The exchange sends, meters receive; closed with the park.
    prices: watch::Receiver<u64>,
    _exchange: JoinSet<()>,
}

impl Park {
    fn open() -> Self {
        let (exchange, prices) = exchange();
        let office = Office::default();
        Self { office, prices, _exchange: exchange }
    }

    /// From plugging in to unplugging.
    async fn plug_in(&self) -> anyhow::Result<()> {
        // The plug sends, the meter receives; unplugging closes.
        let (cable, samples) = mpsc::channel(QUEUE);
        let (office, prices) =
            (self.office.clone(), self.prices.clone());
        tokio::spawn(meter(samples, prices, office));
        charge(async |sample| Ok(cable.send(sample).await?)).await
    }
}

/// Bills every sample at the price of its moment.
async fn meter(
    mut samples: mpsc::Receiver<Sample>,
    mut prices: watch::Receiver<u64>,
    office: Office,
) {
    let mut bill = office.open_bill();
    let mut price = *prices.borrow_and_update();
    loop {
        // LEAK: an empty queue and an unplugged car look the same.
        while let Ok(sample) = samples.try_recv() {
            bill.add(sample, price);
        }
        price = *prices.borrow_and_update();
        sleep(TICK).await;
    }
}
// ANCHOR_END: service
