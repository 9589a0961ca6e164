//! Aborts the handle of the closure when its time is over.
//!
//! A truck yard weighs trucks. The scales' maker has a driver for them, and the driver blocks.
//!
//! Run it: `cargo run --bin blocking-behind-timeout-wrong-abort`
//!
//! You will see as many busy threads as in the leak: an abort does not reach a closure that has started.

mod world;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
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
        let mut weight = spawn_blocking(move || ask(scale));
        let Ok(weight) = timeout(WAIT_MAX, &mut weight).await else {
            // LEAK: the closure has started, so this ends nothing.
            weight.abort();
            bail!("no weight in time");
        };
        Ok(weight??)
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
