//! Bills one car per task, and waits for the next price when the car has gone.
//!
//! A charging park bills every car that is plugged in, at a price that changes.
//!
//! Run it: `cargo run --bin select-without-exit-leak`
//!
//! You will see one task more after every charge, and one bill that is never closed.

mod world;

use std::process::ExitCode;

use tokio::{
    sync::{mpsc, watch},
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
/// Samples that wait for a meter.
const QUEUE: usize = 8;

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
        tokio::select! {
            // LEAK: `None` does not match; then only prices are left.
            Some(sample) = samples.recv() => bill.add(sample, price),
            changed = prices.changed() => match changed {
                Ok(()) => price = *prices.borrow_and_update(),
                Err(_) => return, // The park has closed.
            },
        }
    }
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    #[should_panic(
        expected = "20 tasks spawned at scenarios/select-without-exit/"
    )]
    async fn a_car_that_leaves_leaves_no_meter_behind() {
        let park = Park::open();
        // The clock stands still. In a second of it, prices come.
        let second = Duration::from_secs(1);
        let charges = leakcheck::scope().horizon(second);
        for _ in 0..20 {
            park.plug_in().await.unwrap();
        }
        // The park and its exchange live on; the cars have left.
        charges.assert().await;
        assert_eq!(park.office.open_bills(), 0, "bills left open");
    }
    // ANCHOR_END: guard
}
