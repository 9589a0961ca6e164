//! Ends the wait for a blocking closure, and not the closure.
//!
//! A truck yard weighs trucks. The scales' maker has a driver for them, and the driver blocks.
//!
//! Run it: `cargo run --bin blocking-behind-timeout-leak`
//!
//! You will see one busy thread more after every truck, and not one task.

mod world;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use tokio::{task::spawn_blocking, time::timeout};
use world::Scales;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let scales = Scales::open().await?;
        scales.show(stage);
        let yard = Yard;
        let weigh = async |scale| yard.weigh(scale).await;
        stage.load(async |_| scales.drive(weigh).await).await;
        Ok((scales, yard))
    })
}

// ANCHOR: service
/// The driver of a truck waits no longer for a weight.
const WAIT_MAX: Duration = Duration::from_millis(500);

struct Yard;

impl Yard {
    async fn weigh(
        &self,
        scale: SocketAddr,
    ) -> anyhow::Result<String> {
        // LEAK: this ends our wait, and the closure reads on.
        let weight = spawn_blocking(move || ask(scale));
        let weight = timeout(WAIT_MAX, weight).await;
        Ok(weight.context("no weight in time")???)
    }
}

/// The maker's driver. It is built on `std`, so it blocks.
fn ask(scale: SocketAddr) -> io::Result<String> {
    let mut line = TcpStream::connect(scale)?;
    line.write_all(b"weigh\n")?;
    let mut weight = String::new();
    BufReader::new(line).read_line(&mut weight)?;
    Ok(weight)
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    #[should_panic(expected = "5 blocking threads left")]
    async fn a_late_weight_leaves_no_thread_behind() {
        let (scales, yard) = (Scales::open().await.unwrap(), Yard);
        let trucks = leakcheck::scope();
        for _ in 0..5 {
            let weigh = async |scale| yard.weigh(scale).await;
            scales.drive(weigh).await.unwrap();
        }
        // The scales live on: their end would end the closures.
        trucks.assert().await;
    }
    // ANCHOR_END: guard
}
