//! Limits how many closures run, with a permit that the caller holds.
//!
//! A truck yard weighs trucks. The scales' maker has a driver for them, and the driver blocks.
//!
//! Run it: `cargo run --bin blocking-behind-timeout-wrong-permit`
//!
//! You will see as many busy threads as in the leak: the permit comes back with the timeout.

mod world;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use world::Scales;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let scales = Scales::open().await?;
        scales.show(stage);
        let yard = Yard { gate: Semaphore::new(GATE) };
        let weigh = async |scale| yard.weigh(scale).await;
        stage.load(async |_| scales.drive(weigh).await).await;
        Ok((scales, yard))
    })
}

// ANCHOR: service
/// The driver of a truck waits no longer for a weight.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Questions that may be under way at a time.
const GATE: usize = 32;

struct Yard {
    gate: Semaphore,
}

impl Yard {
    async fn weigh(
        &self,
        scale: SocketAddr,
    ) -> anyhow::Result<String> {
        let weight = async {
            let _permit = self.gate.acquire().await?;
            // LEAK: the permit is ours, and comes back with us.
            Ok(spawn_blocking(move || ask(scale)).await??)
        };
        let weight = timeout(WAIT_MAX, weight).await;
        weight.context("no weight in time")?
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
