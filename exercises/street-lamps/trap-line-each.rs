//! The lamp service of a city: web pages ask street lamps how they are, all over one line to the radio gateway.
//!
//! Run it: `cargo run --bin street-lamps-trap-line-each`

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A lamp answers within this time, or there is something the matter with it. Short here, ten seconds in a city.
const PATIENCE: Duration = Duration::from_millis(800);

/// The lines to the gateway: each question has one of its own, which ends with the page.
pub(crate) struct Line {
    gateway: SocketAddr,
    /// Questions that a page waits for; closed when the line is.
    under_way: TaskTracker,
}

impl Line {
    pub(crate) async fn open(gateway: SocketAddr) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self { gateway, under_way: TaskTracker::new() }))
    }

    /// Asks a lamp. What it answers is what the page shows.
    pub(crate) async fn ask(&self, lamp: u64) -> anyhow::Result<String> {
        let _under_way = self.enter()?;
        match timeout(PATIENCE, self.question(lamp)).await {
            Ok(answer) => answer,
            Err(_) => bail!("lamp {lamp} does not answer"),
        }
    }

    /// Numbers in use, for the status page.
    pub(crate) fn in_use(&self) -> usize {
        self.under_way.len()
    }

    /// Takes no new question, and lets pages have their answers.
    pub(crate) async fn stop(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }

    /// The line stays open for whoever has what this returns.
    fn enter(&self) -> anyhow::Result<TaskTrackerToken> {
        let token = self.under_way.token();
        ensure!(!self.under_way.is_closed(), "the line is closed");
        Ok(token)
    }

    async fn question(&self, lamp: u64) -> anyhow::Result<String> {
        let mut line = BufReader::new(TcpStream::connect(self.gateway).await.context("no gateway")?);
        line.write_all(format!("0 ASK {lamp}\n").as_bytes()).await?;
        let mut answer = String::new();
        line.read_line(&mut answer).await?;
        let (_, word) = answer.trim_end().split_once(' ').context("the gateway has hung up")?;
        Ok(word.to_owned())
    }
}
