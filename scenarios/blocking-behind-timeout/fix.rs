//! Tells the closure that nobody waits for it any more, and the closure looks.
//!
//! A truck yard weighs trucks. The scales' maker has a driver for them, and the driver blocks.
//!
//! Run it: `cargo run --bin blocking-behind-timeout-fix`
//!
//! You will see the threads come back, a moment after each truck.

mod world;

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;
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
/// A closure that nobody waits for any more sees it this late.
const LOOK: Duration = Duration::from_millis(50);

struct Yard;

impl Yard {
    async fn weigh(
        &self,
        scale: SocketAddr,
    ) -> anyhow::Result<String> {
        let gone = CancellationToken::new();
        let stop = gone.clone();
        // Dropped on every way out, also when our caller leaves.
        let _gone = gone.drop_guard();
        let weight = spawn_blocking(move || ask(scale, &stop));
        let weight = timeout(WAIT_MAX, weight).await;
        Ok(weight.context("no weight in time")???)
    }
}

/// The maker's driver, with a way out.
fn ask(
    scale: SocketAddr,
    stop: &CancellationToken,
) -> io::Result<String> {
    let mut line = TcpStream::connect_timeout(&scale, WAIT_MAX)?;
    line.set_read_timeout(Some(LOOK))?;
    line.write_all(b"weigh\n")?;
    let (mut line, mut weight) =
        (BufReader::new(line), String::new());
    // FIX: between two waits the closure looks whether to go on.
    while !stop.is_cancelled() {
        match line.read_line(&mut weight) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            read => return read.map(|_| weight),
        }
    }
    Err(ErrorKind::TimedOut.into())
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
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
