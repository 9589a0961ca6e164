//! The gateway between a file share and its virus scanners: an upload is let in when no engine objects.
//!
//! Run it: `cargo run --bin upload-scan-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::timeout,
};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// No engine may think longer than this.
const SCAN_MAX: Duration = Duration::from_secs(2);
/// The auditors ask about the latest uploads only.
const AUDITED_MAX: usize = 1_000;
/// Uploads that are scanned at the same time; the others wait.
const SCANS_MAX: usize = 32;

/// What an engine says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Clean,
    Infected(String),
}

/// What the gateway did with an upload, for the auditors.
struct Audit {
    finding: Finding,
    /// Engines send, the auditors receive; closed when the last engine has spoken.
    second_opinions: mpsc::Receiver<Finding>,
}

/// Asks every engine about every upload.
pub(crate) struct Gateway {
    engines: Vec<SocketAddr>,
    room: Semaphore,
    audits: Mutex<Audits>,
}

#[derive(Default)]
struct Audits {
    by_upload: HashMap<u64, Audit>,
    /// Oldest first.
    order: VecDeque<u64>,
}

impl Gateway {
    pub(crate) fn new(engines: Vec<SocketAddr>) -> Arc<Self> {
        Arc::new(Self { engines, room: Semaphore::new(SCANS_MAX), audits: Mutex::default() })
    }

    /// Scans an upload. The first engine that objects decides; all must agree that it is clean.
    pub(crate) async fn scan(&self, upload: u64, content: &str) -> anyhow::Result<Finding> {
        let _place = self.room.acquire().await.context("the gateway is closed")?;
        // Engines send one finding each, this scan receives. The end of the last engine closes it.
        let (tx, mut findings) = mpsc::channel(1);
        for &engine in &self.engines {
            let (tx, content) = (tx.clone(), content.to_owned());
            tokio::spawn(async move {
                let finding = ask(engine, upload, &content).await.unwrap_or_else(|error| {
                    // An engine that is down must not let anything pass.
                    Finding::Infected(format!("no answer: {error}"))
                });
                if tx.send(finding).await.is_err() {
                    eprintln!("upload {upload}: {engine} spoke after the verdict");
                }
            });
        }
        drop(tx);

        let mut finding = Finding::Clean;
        while let Some(next) = findings.recv().await {
            if next != Finding::Clean {
                finding = next;
                break;
            }
        }
        self.keep(upload, Audit { finding: finding.clone(), second_opinions: findings });
        Ok(finding)
    }

    /// The verdict on an upload, and the second opinions that no auditor has read yet.
    pub(crate) fn audit(&self, upload: u64) -> Option<(Finding, Vec<Finding>)> {
        let mut audits = self.audits.lock().unwrap_or_else(PoisonError::into_inner);
        let audit = audits.by_upload.get_mut(&upload)?;
        let unread = std::iter::from_fn(|| audit.second_opinions.try_recv().ok());
        Some((audit.finding.clone(), unread.collect()))
    }

    /// Lets the scans under way end, and takes no new one.
    pub(crate) async fn stop(&self) {
        if let Ok(all) = self.room.acquire_many(SCANS_MAX as u32).await {
            self.room.close();
            drop(all);
        }
    }

    fn keep(&self, upload: u64, audit: Audit) {
        let mut audits = self.audits.lock().unwrap_or_else(PoisonError::into_inner);
        audits.by_upload.insert(upload, audit);
        audits.order.push_back(upload);
        if audits.order.len() > AUDITED_MAX
            && let Some(oldest) = audits.order.pop_front()
        {
            audits.by_upload.remove(&oldest);
        }
    }
}

/// One question to one engine, over a connection of its own.
async fn ask(engine: SocketAddr, upload: u64, content: &str) -> anyhow::Result<Finding> {
    let exchange = async {
        let mut stream = TcpStream::connect(engine).await.context("cannot connect")?;
        stream.write_all(format!("SCAN {upload} {content}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        match answer.trim_end().split_once(' ') {
            None if answer == "CLEAN\n" => Ok(Finding::Clean),
            Some(("FOUND", name)) => Ok(Finding::Infected(name.to_owned())),
            _ => bail!("the engine said {answer:?}"),
        }
    };
    timeout(SCAN_MAX, exchange).await.context("the engine is too slow")?
}
