//! The outside world: customers with a photo each, two printers of which one is out of paper, and a count of requests.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, Semaphore, SemaphorePermit, watch},
    time::timeout,
};

/// Any free port.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Bytes of a photo. A real one has some millions.
const PHOTO: usize = 64 * 1024;
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// The lab's printers. One takes a photo at a time, the other has no paper today.
pub(crate) struct Printers {
    small: Semaphore,
    large: Semaphore,
}

impl Default for Printers {
    fn default() -> Self {
        Self { small: Semaphore::new(1), large: Semaphore::new(0) }
    }
}

impl Printers {
    /// Waits until this printer is free, and has paper.
    pub(crate) async fn free(
        &self,
        size: &str,
    ) -> SemaphorePermit<'_> {
        let printer =
            if size == "small" { &self.small } else { &self.large };
        printer.acquire().await.expect("it is never closed")
    }
}

#[derive(Default)]
pub(crate) struct World {
    counts: Counts,
    printed: Arc<AtomicU64>,
    /// One customer who hangs up at a time, so that the request which arrives is known to be theirs.
    turn: Mutex<()>,
}

#[derive(Clone, Default)]
struct Counts {
    /// Requests that have arrived. Each request sends, customers receive; it closes with the world.
    arrived: watch::Sender<u64>,
    under_way: Arc<AtomicU64>,
}

/// A request under way.
struct UnderWay(Arc<AtomicU64>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl World {
    /// Counts requests, as the metrics of a service do.
    pub(crate) fn count(&self, app: Router) -> Router {
        app.layer(from_fn_with_state(self.counts.clone(), count))
    }

    pub(crate) fn show(&self, stage: &stage::Stage) {
        for (name, gauge) in [
            ("under_way", &self.counts.under_way),
            ("printed", &self.printed),
        ] {
            let gauge = gauge.clone();
            stage.gauge(name, move || gauge.load(Ordering::SeqCst));
        }
    }

    /// One customer gets a small print. Another wants a large one, sends half of the photo, and leaves.
    pub(crate) async fn visit(
        &self,
        lab: SocketAddr,
    ) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        let mut stays = order(lab, "small", PHOTO).await?;
        let mut answer = String::new();
        let answered = stays.read_to_string(&mut answer);
        timeout(LIMIT, answered).await.context("no print")??;
        ensure!(answer.ends_with("printed"), "no print: {answer}");
        self.printed.fetch_add(1, Ordering::SeqCst);
        let mut arrived = self.counts.arrived.subscribe();
        let before = *arrived.borrow();
        let leaves = order(lab, "large", PHOTO / 2).await?;
        let arrives = arrived.wait_for(|arrived| *arrived > before);
        timeout(LIMIT, arrives).await.context("no request")??;
        drop(leaves);
        Ok(())
    }
}

/// Connects, and sends so much of a photo.
async fn order(
    lab: SocketAddr,
    size: &str,
    sent: usize,
) -> anyhow::Result<TcpStream> {
    let mut customer = TcpStream::connect(lab).await?;
    let header = format!(
        "POST /prints/{size} HTTP/1.1\r\nhost: lab\r\nconnection: close\r\ncontent-length: {PHOTO}\r\n\r\n"
    );
    customer.write_all(header.as_bytes()).await?;
    customer.write_all(&vec![0; sent]).await?;
    Ok(customer)
}

async fn count(
    State(counts): State<Counts>,
    request: Request,
    next: Next,
) -> Response {
    counts.under_way.fetch_add(1, Ordering::SeqCst);
    let _under_way = UnderWay(counts.under_way.clone());
    counts.arrived.send_modify(|arrived| *arrived += 1);
    next.run(request).await
}
