//! The outside world: readers who keep their page open, and a supervisor that does not wait for ever.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// After SIGTERM a supervisor waits this long, then it kills. Kubernetes waits 30 s, systemd 90 s.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Any free port.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(10);

/// True when the program was called with `serve`: for real, until SIGTERM.
pub(crate) fn is_for_real() -> bool {
    std::env::args().nth(1).as_deref() == Some("serve")
}

/// Every reader's page, as long as it is open.
#[derive(Default)]
pub(crate) struct World {
    open: Mutex<Vec<TcpStream>>,
    /// How long stops took, in microseconds: most take less than a millisecond.
    exit_micros: Arc<AtomicU64>,
    late: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn show_gauges(&self, stage: &stage::Stage) {
        for (name, gauge, unit) in [
            ("exit_ms", &self.exit_micros, 1_000),
            ("late", &self.late, 1),
        ] {
            let gauge = gauge.clone();
            let read = move || gauge.load(Ordering::SeqCst) / unit;
            stage.gauge(name, read);
        }
    }

    /// A reader opens the page and gets the first event. Like a browser, it does not hang up by itself.
    pub(crate) async fn listen(
        &self,
        server: SocketAddr,
    ) -> anyhow::Result<TcpStream> {
        let mut page = TcpStream::connect(server).await?;
        let request = format!(
            "GET /events HTTP/1.1\r\nhost: {server}\r\naccept: text/event-stream\r\n\r\n"
        );
        page.write_all(request.as_bytes()).await?;
        let (mut text, mut part) = (Vec::new(), [0; 1_024]);
        let first = async {
            while !text.windows(5).any(|word| word == b"data:") {
                let n = page.read(&mut part).await?;
                ensure!(n > 0, "no event came");
                text.extend_from_slice(&part[..n]);
            }
            anyhow::Ok(())
        };
        timeout(LIMIT, first).await.context("no event came")??;
        Ok(page)
    }

    /// Sends SIGTERM, as it were: the server stops. When it takes too long nobody waits for it any more.
    pub(crate) async fn sigterm(
        &self,
        mut page: TcpStream,
        stop: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let stopped = timeout(STOP_LIMIT, stop).await;
        let took = started.elapsed().as_micros() as u64;
        self.exit_micros.fetch_add(took, Ordering::SeqCst);
        let Ok(stopped) = stopped else {
            self.late.fetch_add(1, Ordering::SeqCst);
            self.open.lock().unwrap().push(page);
            return Ok(());
        };
        stopped?;
        // A reader whose stream comes to its end hangs up; another goes on listening.
        let mut rest = [0; 1_024];
        let end = async {
            while page.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        };
        if timeout(STOP_LIMIT, end).await.is_err() {
            self.open.lock().unwrap().push(page);
        }
        Ok(())
    }
}
