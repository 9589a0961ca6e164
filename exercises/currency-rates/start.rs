//! The converter of a shop: every price that is shown in another currency asks the bank's rates server.
//!
//! Run it: `cargo run --bin currency-rates-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, Semaphore, mpsc},
    time::timeout,
};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// The bank allows so many connections to one customer.
const CONNECTIONS_MAX: usize = 64;
/// A shopper waits no longer for a price.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Answers that came and were not taken yet.
const ANSWERS: usize = 4;

/// A conversation with the rates server. The server sends `PING` now and then, and closes the line of a client that
/// does not answer.
struct RatesClient {
    writer: Arc<Mutex<OwnedWriteHalf>>,
    /// The reader's task sends, `rate` receives; it closes when the server ends the connection.
    answers: mpsc::Receiver<String>,
}

impl RatesClient {
    async fn connect(server: SocketAddr) -> anyhow::Result<Self> {
        let (reader, writer) = TcpStream::connect(server).await.context("the rates server is away")?.into_split();
        let writer = Arc::new(Mutex::new(writer));
        let (tx, answers) = mpsc::channel(ANSWERS);
        tokio::spawn(read(BufReader::new(reader), writer.clone(), tx));
        Ok(Self { writer, answers })
    }

    /// So many thousandths of `to` are one of `from`, by the bank's latest word.
    async fn rate(&mut self, from: &str, to: &str) -> anyhow::Result<u64> {
        say(&self.writer, &format!("RATE {from} {to}\n")).await?;
        let answer = timeout(ANSWER_MAX, self.answers.recv()).await.context("the rates server is too slow")?;
        match answer.context("the rates server has hung up")?.split_once(' ') {
            Some(("RATE", rate)) => Ok(rate.parse()?),
            _ => bail!("the bank has no rate from {from} to {to}"),
        }
    }
}

/// Hands answers on, and answers the server's `PING` until the line is closed.
async fn read(mut reader: BufReader<OwnedReadHalf>, writer: Arc<Mutex<OwnedWriteHalf>>, answers: mpsc::Sender<String>) {
    let mut line = String::new();
    while let Ok(1..) = reader.read_line(&mut line).await {
        match line.trim_end() {
            "PING" => {
                if say(&writer, "PONG\n").await.is_err() {
                    return;
                }
            }
            answer => {
                // Who asked may have lost patience.
                let _ = answers.send(answer.to_owned()).await;
            }
        }
        line.clear();
    }
}

async fn say(writer: &Mutex<OwnedWriteHalf>, line: &str) -> anyhow::Result<()> {
    writer.lock().await.write_all(line.as_bytes()).await.context("the rates server has hung up")
}

/// Converts prices.
pub(crate) struct Converter {
    server: SocketAddr,
    connections: Semaphore,
}

impl Converter {
    pub(crate) fn new(server: SocketAddr) -> Arc<Self> {
        Arc::new(Self { server, connections: Semaphore::new(CONNECTIONS_MAX) })
    }

    /// A price in another currency, at the rate of this moment.
    pub(crate) async fn convert(&self, cents: u64, from: &str, to: &str) -> anyhow::Result<u64> {
        let _connection = self.connections.acquire().await.context("the shop is closing")?;
        let mut client = RatesClient::connect(self.server).await?;
        let rate = client.rate(from, to).await?;
        Ok(cents * rate / 1000)
    }

    /// Converts what was asked for, and nothing new.
    pub(crate) async fn stop(&self) {
        if let Ok(all) = self.connections.acquire_many(CONNECTIONS_MAX as u32).await {
            self.connections.close();
            drop(all);
        }
    }
}
