//! The world around the export: a warehouse on a real socket, patient clients whose report is ready soon, and others who hang up, for
//! theirs comes tonight.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::Exports;

/// A report is ready this long after its cursor was opened; those of [`TONIGHT`] are not.
const READY: Duration = Duration::from_millis(60);
/// Of four clients, this one asks for a report that comes tonight, and hangs up.
const TONIGHT: u64 = 3;
/// So long they wait.
const PATIENCE: Duration = Duration::from_millis(50);
/// No answer takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Clients that are being served when the service is told to end.
const AT_THE_END: u64 = 6;

pub(crate) struct World {
    exports: Arc<Exports>,
    ledger: Ledger,
    warehouse: Arc<Warehouse>,
    /// It ends with the world, as a machine does that is switched off.
    _listener: AbortOnDropHandle<()>,
}

/// A world that is dropped takes its service with it.
impl Drop for World {
    fn drop(&mut self) {
        self.exports.close();
    }
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let warehouse = Arc::<Warehouse>::default();
        let (addr, listener) = warehouse.clone().start().await?;
        Ok(Self { exports: Exports::start(addr).await?, ledger: Ledger::default(), warehouse, _listener: listener })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.exports.addr()).await?;
        stream.write_all(format!("EXPORT {n}\n").as_bytes()).await?;
        if is_tonight(n) {
            sleep(PATIENCE).await;
            return Ok(());
        }
        self.ledger.accept(n);
        let mut answer = String::new();
        let read = BufReader::new(stream).read_line(&mut answer).await;
        ensure!(read? > 0, "client {n} got no report");
        ensure!(answer == format!("REPORT of customer {n}\n"), "client {n} got {answer:?}");
        self.ledger.finish(n);
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| async move {
            // All of them are patient.
            timeout(ANSWER_MAX, self.unit(1_000_000 + 4 * n)).await.context("no report")?
        });
        let (last, ()) = tokio::join!(exercise::all(last), async {
            sleep(READY / 2).await;
            self.exports.stop().await;
        });
        last
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let warehouse = self.warehouse.clone();
        stage.gauge("cursors", move || warehouse.cursors.lock().unwrap().len() as u64);
    }
}

fn is_tonight(customer: u64) -> bool {
    customer % 4 == TONIGHT
}

/// Keeps a cursor from `OPEN` to `CLOSE`.
#[derive(Default)]
struct Warehouse {
    /// Since when each is open.
    cursors: Mutex<HashMap<u64, Instant>>,
}

impl Warehouse {
    async fn start(self: Arc<Self>) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let warehouse = self.clone();
                tokio::spawn(async move {
                    // A client that has gone is no concern of the warehouse.
                    let _ = warehouse.answer(stream).await;
                });
            }
        });
        Ok((addr, AbortOnDropHandle::new(task)))
    }

    async fn answer(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut question = String::new();
        stream.read_line(&mut question).await?;
        let (verb, customer) = question.trim_end().split_once(' ').context("no question")?;
        let answer = self.look_up(verb, customer.parse()?);
        stream.write_all(format!("{answer}\n").as_bytes()).await?;
        Ok(())
    }

    fn look_up(&self, verb: &str, customer: u64) -> String {
        let mut cursors = self.cursors.lock().unwrap();
        match (verb, cursors.get(&customer)) {
            ("OPEN", None) => {
                cursors.insert(customer, Instant::now());
                "OK".to_owned()
            }
            ("STATUS", Some(opened)) if opened.elapsed() >= READY && !is_tonight(customer) => {
                format!("READY of customer {customer}")
            }
            ("STATUS", Some(_)) => "PENDING".to_owned(),
            ("CLOSE", Some(_)) => {
                cursors.remove(&customer);
                "OK".to_owned()
            }
            _ => "ERROR".to_owned(),
        }
    }
}
