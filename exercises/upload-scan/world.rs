//! The world around the gateway: four engines on real sockets, clients that upload, and auditors who ask later.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Finding, Gateway};

/// Each engine takes this long, the quickest first.
const ENGINES: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(60), Duration::from_millis(80), Duration::from_millis(100)];
/// Every fourth upload carries the mark that every engine knows.
const MARK: &str = "EICAR";
/// A file of this many bytes.
const SIZE: usize = 8 * 1024;
/// Uploads that are under way when the service is told to end.
const AT_THE_END: u64 = 8;
/// An auditor who asks this long after the verdict finds every opinion.
const OPINIONS_MAX: Duration = Duration::from_secs(1);

pub(crate) struct World {
    gateway: Arc<Gateway>,
    /// They end with the world, as machines do that are switched off.
    _engines: JoinSet<()>,
    ledger: Ledger,
    scans: Arc<AtomicU64>,
    /// Second opinions that auditors have read, by upload.
    read: Mutex<HashMap<u64, usize>>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (scans, mut engines, mut addresses) = (Arc::default(), JoinSet::new(), Vec::new());
        for delay in ENGINES {
            addresses.push(engine(delay, &scans, &mut engines).await?);
        }
        let gateway = Gateway::new(addresses);
        Ok(Self { gateway, _engines: engines, ledger: Ledger::default(), scans, read: Mutex::default() })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let is_bad = n.is_multiple_of(4);
        let content = format!("{} {}", if is_bad { MARK } else { "holiday" }, "x".repeat(SIZE));
        self.ledger.accept(n);
        let finding = self.gateway.scan(n, &content).await?;
        let right = if is_bad { Finding::Infected(MARK.to_owned()) } else { Finding::Clean };
        ensure!(finding == right, "upload {n} is {finding:?}, and it should be {right:?}");
        let kept = self.audit(n).with_context(|| format!("upload {n} is not in the audit"))?;
        ensure!(kept == right, "the audit of upload {n} says {kept:?}");
        self.ledger.finish(n);
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| self.unit(1_000_000 + n));
        let (last, ()) = tokio::join!(exercise::all(last), async {
            // The first engine has spoken, the others think.
            sleep(ENGINES[0] / 2).await;
            self.gateway.stop().await;
        });
        last?;
        // The engines' last words may be under way.
        timeout(OPINIONS_MAX, self.every_opinion(1_000_000))
            .await
            .context("an auditor does not find every second opinion")?;
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let scans = self.scans.clone();
        stage.gauge("scans", move || scans.load(Ordering::Relaxed));
    }
}

impl World {
    /// An auditor asks for the verdict on an upload, and reads the second opinions that are there.
    fn audit(&self, upload: u64) -> Option<Finding> {
        let (finding, opinions) = self.gateway.audit(upload)?;
        *self.read.lock().unwrap().entry(upload).or_default() += opinions.len();
        Some(finding)
    }

    /// Waits until an auditor has read every second opinion on a bad upload.
    async fn every_opinion(&self, upload: u64) {
        while self.read.lock().unwrap().get(&upload).is_none_or(|&read| read < ENGINES.len() - 1) {
            sleep(Duration::from_millis(5)).await;
            self.audit(upload);
        }
    }
}

/// An engine: it answers one question per connection.
async fn engine(delay: Duration, scans: &Arc<AtomicU64>, engines: &mut JoinSet<()>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (addr, scans) = (listener.local_addr()?, scans.clone());
    engines.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let scans = scans.clone();
            tokio::spawn(async move {
                scans.fetch_add(1, Ordering::Relaxed);
                // A client that has gone is no concern of an engine.
                let _ = answer(stream, delay).await;
            });
        }
    });
    Ok(addr)
}

async fn answer(stream: TcpStream, delay: Duration) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    stream.read_line(&mut question).await?;
    sleep(delay).await;
    let answer = if question.contains(MARK) { format!("FOUND {MARK}\n") } else { "CLEAN\n".to_owned() };
    stream.write_all(answer.as_bytes()).await?;
    Ok(())
}
