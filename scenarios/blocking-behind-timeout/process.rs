//! Asks each scale from a child process, which can be killed.
//!
//! A truck yard weighs trucks. The scales' maker has a driver for them, and the driver blocks.
//!
//! Run it: `cargo run --bin blocking-behind-timeout-process`
//!
//! You will see no thread left, and how much longer each weight takes.

mod world;

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{process::Command, time::timeout};
use world::Scales;

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(ASK) {
        return drive();
    }
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

/// The first argument of a program that only asks one scale.
const ASK: &str = "ask";

struct Yard;

impl Yard {
    async fn weigh(
        &self,
        scale: SocketAddr,
    ) -> anyhow::Result<String> {
        let mut driver = Command::new(env::current_exe()?);
        driver.arg(ASK).arg(scale.to_string());
        // FIX: the timeout drops the child, and so it is killed.
        driver.kill_on_drop(true);
        let weight = timeout(WAIT_MAX, driver.output()).await;
        let weight = weight.context("no weight in time")??;
        ensure!(weight.status.success(), "the driver failed");
        Ok(String::from_utf8(weight.stdout)?)
    }
}

/// The child: asks, prints the weight and ends.
fn drive() -> ExitCode {
    let scale = env::args().nth(2).and_then(|at| at.parse().ok());
    let weight = scale.and_then(|scale| ask(scale).ok());
    let Some(weight) = weight else { return ExitCode::FAILURE };
    print!("{weight}");
    ExitCode::SUCCESS
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
