//! Who comes to look, and how many may: a seat for each stream that the system's limit on open descriptors allows.

use std::{env, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use rustix::process::{Resource, getrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use crate::world::{PARCEL, Scans};

/// Descriptors for all that is no stream: listener, event queues,
/// log, console.
const RESERVE: u64 = 32;
/// No more streams than this, however many descriptors there are.
const SEATS_MAX: u64 = 10_000;
/// A visitor who sees nothing for so long has failed.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// A visitor reads no more of an answer than this.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Set to an address, it makes the program wait there for real
/// visitors instead of its own.
const LISTEN: &str = "SSE_PUSH_LISTEN";

/// One seat for every stream that the system's limit on open descriptors allows.
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    count: usize,
    /// How many have left. Seats send, visits receive; it closes with the last seat.
    left: watch::Sender<u64>,
}

/// Comes back when it is dropped.
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    left: watch::Sender<u64>,
}

impl Default for Seats {
    fn default() -> Self {
        let granted =
            getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let count = granted
            .saturating_sub(RESERVE)
            .clamp(1, SEATS_MAX) as usize;
        Self {
            free: Arc::new(Semaphore::new(count)),
            count,
            left: watch::Sender::new(0),
        }
    }
}

impl Seats {
    pub(crate) fn take(&self) -> Option<Seat> {
        let permit = self.free.clone().try_acquire_owned().ok()?;
        Some(Seat { _permit: permit, left: self.left.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.left.send_modify(|left| *left += 1);
    }
}

/// Two gauges: streams whose visitor is there, and subscriptions that somebody still holds.
pub(crate) fn show(
    stage: &stage::Stage,
    scans: &Arc<Scans>,
    seats: &Seats,
) {
    let (count, free, scans) =
        (seats.count, seats.free.clone(), scans.clone());
    stage.gauge("streams_open", move || {
        (count - free.available_permits()) as u64
    });
    stage.gauge("subscriptions", move || scans.subscriptions());
}

/// Who comes: the built-in client, or whoever connects.
pub(crate) struct Visitors {
    addr: SocketAddr,
    left: Option<watch::Receiver<u64>>,
}

/// Opens the door: on a free port for our own visitors, at the address in `SSE_PUSH_LISTEN` for real ones.
pub(crate) async fn open(
    seats: &Seats,
) -> anyhow::Result<(TcpListener, Visitors)> {
    let asked = env::var(LISTEN).ok();
    let at = asked.as_deref().unwrap_or("127.0.0.1:0");
    let listener = TcpListener::bind(at)
        .await
        .with_context(|| format!("cannot listen at {at}"))?;
    let addr = listener.local_addr()?;
    let left = asked.map(|_| seats.left.subscribe());
    if left.is_some() {
        eprintln!(
            "open http://{addr}/ or run: curl -N http://{addr}/parcels/{PARCEL}/events"
        );
    }
    Ok((listener, Visitors { addr, left }))
}

impl Visitors {
    /// One visit: come, see both scans, and leave in the middle of the stream.
    pub(crate) async fn visit(
        &self,
        number: u64,
    ) -> anyhow::Result<()> {
        match &self.left {
            // As long as the visitor likes: here a person is waited for.
            Some(left) => left
                .clone()
                .wait_for(|left| *left > number)
                .await
                .map(drop)
                .context("no more seats"),
            None => timeout(ANSWER_MAX, self.come_and_leave())
                .await
                .context("no scan came in time")?,
        }
    }

    async fn come_and_leave(&self) -> anyhow::Result<()> {
        let mut socket = TcpStream::connect(self.addr)
            .await
            .context("cannot connect")?;
        let request = format!(
            "GET /parcels/{PARCEL}/events HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.addr
        );
        socket.write_all(request.as_bytes()).await?;
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("depot") {
            anyhow::ensure!(
                seen.len() < ANSWER_BYTES_MAX,
                "too long an answer"
            );
            anyhow::ensure!(
                socket.read_buf(&mut seen).await? > 0,
                "the stream ended"
            );
        }
        Ok(())
    }
}
