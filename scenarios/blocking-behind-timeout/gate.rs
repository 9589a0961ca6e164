//! Gives every closure a permit, which comes back when the closure returns.
//!
//! A truck yard weighs trucks. The scales' maker has a driver for them, and the driver blocks.
//!
//! Run it: `cargo run --bin blocking-behind-timeout-gate`
//!
//! You will see eight busy threads and no more, and then no truck that is weighed.

mod world;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use world::Scales;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let scales = Scales::open().await?;
        scales.show(stage);
        let gate = Arc::new(Semaphore::new(GATE));
        let yard = Yard { gate };
        let weigh = async |scale| yard.weigh(scale).await;
        stage.load(async |_| scales.drive(weigh).await).await;
        Ok((scales, yard))
    })
}

// ANCHOR: service
/// The driver of a truck waits no longer for a weight.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Closures that may run, or stay, at a time.
const GATE: usize = 8;

struct Yard {
    gate: Arc<Semaphore>,
}

impl Yard {
    async fn weigh(
        &self,
        scale: SocketAddr,
    ) -> anyhow::Result<String> {
        let permit = self.gate.clone().try_acquire_owned()?;
        let weight = spawn_blocking(move || {
            // FIX: a closure that stays keeps its permit.
            let _permit = permit;
            ask(scale)
        });
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
