//! The export of a billing service: a client asks for a customer's report, and gets it when the warehouse has it ready.
//!
//! Run it: `cargo run --bin report-export-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// Clients that are served at the same time; others wait in the listener's queue.
const CLIENTS_MAX: usize = 256;
/// The warehouse is asked this often whether a report is ready.
const ASK_AGAIN: Duration = Duration::from_millis(25);
/// No single question to the warehouse may take longer.
const QUESTION_MAX: Duration = Duration::from_secs(2);
/// When the service stops, clients that are being served get this long.
const STOP_MAX: Duration = Duration::from_secs(3);

/// Serves exports over TCP: `EXPORT 17` is answered with `REPORT …`.
pub(crate) struct Exports {
    addr: SocketAddr,
    warehouse: SocketAddr,
    clients: TaskTracker,
    room: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Exports {
    pub(crate) async fn start(warehouse: SocketAddr) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let exports = Arc::new(Self {
            addr: listener.local_addr()?,
            warehouse,
            clients: TaskTracker::new(),
            room: Arc::new(Semaphore::new(CLIENTS_MAX)),
            stop: CancellationToken::new(),
        });
        exports.clients.spawn(exports.clone().accept(listener));
        Ok(exports)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no new client.
    pub(crate) fn close(&self) {
        self.stop.cancel();
        self.clients.close();
    }

    /// Takes no new client, and lets those that are being served finish.
    pub(crate) async fn stop(&self) {
        self.close();
        if timeout(STOP_MAX, self.clients.wait()).await.is_err() {
            eprintln!("{} clients were cut off", self.clients.len());
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            let Ok(place) = self.room.clone().acquire_owned().await else { return };
            match accepted {
                Ok((stream, _)) => {
                    let exports = self.clone();
                    self.clients.spawn(async move {
                        if let Err(error) = exports.serve(stream).await {
                            eprintln!("export: {error:#}");
                        }
                        drop(place);
                    });
                }
                // Too many open files, say: others may close some.
                Err(error) => {
                    eprintln!("accept: {error}");
                    sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    /// One client, from its question to its report or to its hang-up.
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let mut question = String::new();
        timeout(QUESTION_MAX, reader.read_line(&mut question)).await.context("the client says nothing")??;
        let customer: u64 = question.strip_prefix("EXPORT ").context("not an export")?.trim_end().parse()?;
        // A task of its own, so that the client can be watched meanwhile.
        let report = tokio::spawn(prepare(self.warehouse, customer));
        tokio::select! {
            report = report => answer(&mut writer, &report??).await,
            () = hung_up(reader) => Ok(()),
        }
    }
}

async fn answer(writer: &mut OwnedWriteHalf, report: &str) -> anyhow::Result<()> {
    writer.write_all(format!("REPORT {report}\n").as_bytes()).await.context("the client has gone")
}

/// Returns when the client has closed its end.
async fn hung_up(mut reader: BufReader<OwnedReadHalf>) {
    let mut rest = String::new();
    while let Ok(1..) = reader.read_line(&mut rest).await {
        rest.clear();
    }
}

/// Opens a cursor in the warehouse, waits until the report is ready, and closes the cursor.
async fn prepare(warehouse: SocketAddr, customer: u64) -> anyhow::Result<String> {
    ask(warehouse, &format!("OPEN {customer}")).await?;
    let report = loop {
        match ask(warehouse, &format!("STATUS {customer}")).await?.split_once(' ') {
            Some(("READY", report)) => break report.to_owned(),
            _ => sleep(ASK_AGAIN).await,
        }
    };
    ask(warehouse, &format!("CLOSE {customer}")).await?;
    Ok(report)
}

/// One question to the warehouse, over a connection of its own.
async fn ask(warehouse: SocketAddr, question: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(warehouse).await.context("the warehouse is away")?;
        stream.write_all(format!("{question}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        if answer.is_empty() {
            bail!("the warehouse has hung up");
        }
        anyhow::Ok(answer.trim_end().to_owned())
    };
    timeout(QUESTION_MAX, exchange).await.context("the warehouse is too slow")?
}
