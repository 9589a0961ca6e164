//! The outside world: two scales on the yard's network. One answers; the other takes the connection and says nothing.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::ensure;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::TryAcquireError,
    task::JoinSet,
};

/// Any free port. A real scale has an address in the yard's settings.
const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

pub(crate) struct Scales {
    pub(crate) good: SocketAddr,
    pub(crate) silent: SocketAddr,
    tally: Arc<Tally>,
    /// Dropped with the scales, and so are their connections.
    _scales: JoinSet<anyhow::Result<()>>,
}

#[derive(Default)]
struct Tally {
    weighed: AtomicU64,
    refused: AtomicU64,
    /// How long the good scale's answers took, in microseconds.
    ask_micros: AtomicU64,
}

impl Scales {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let good = TcpListener::bind(ANY_PORT).await?;
        let silent = TcpListener::bind(ANY_PORT).await?;
        let (to_good, to_silent) =
            (good.local_addr()?, silent.local_addr()?);
        let mut scales = JoinSet::new();
        scales.spawn(async move {
            loop {
                // One connection at a time, as such a scale does.
                let _ = answer(good.accept().await?.0).await;
            }
        });
        scales.spawn(async move {
            let mut lines = FuturesUnordered::new();
            loop {
                tokio::select! {
                    line = silent.accept() => lines.push(hold(line?.0)),
                    Some(()) = lines.next() => {}
                }
            }
        });
        Ok(Self {
            good: to_good,
            silent: to_silent,
            tally: Arc::default(),
            _scales: scales,
        })
    }

    pub(crate) fn show(&self, stage: &stage::Stage) {
        type Read = fn(&Tally) -> &AtomicU64;
        let gauges: [(&str, Read, u64); 3] = [
            ("weighed", |tally| &tally.weighed, 1),
            ("refused", |tally| &tally.refused, 1),
            ("ask_ms", |tally| &tally.ask_micros, 1_000),
        ];
        for (name, read, unit) in gauges {
            let tally = self.tally.clone();
            stage.gauge(name, move || {
                read(&tally).load(Ordering::SeqCst) / unit
            });
        }
        let runtime = Handle::current();
        stage.gauge("closures", move || {
            let metrics = runtime.metrics();
            let idle = metrics.num_idle_blocking_threads();
            metrics.num_blocking_threads().saturating_sub(idle) as u64
        });
    }

    /// A truck drives over both scales. The silent one gives no
    /// weight, on no side; the good one does, unless the yard says
    /// that it has no permit for the question.
    pub(crate) async fn drive(
        &self,
        weigh: impl AsyncFn(SocketAddr) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let good = async {
            let began = Instant::now();
            let weight = weigh(self.good).await;
            (weight, began.elapsed().as_micros() as u64)
        };
        let silent = weigh(self.silent);
        // The silent one comes first, and so takes a last permit.
        let (none, (weight, took)) =
            tokio::join!(biased; silent, good);
        ensure!(none.is_err(), "the silent scale spoke");
        self.tally.ask_micros.fetch_add(took, Ordering::SeqCst);
        let count = match weight {
            Ok(_) => &self.tally.weighed,
            Err(error) if error.is::<TryAcquireError>() => {
                &self.tally.refused
            }
            Err(error) => return Err(error),
        };
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn answer(mut line: TcpStream) -> anyhow::Result<()> {
    let mut question = String::new();
    let (reads, mut writes) = line.split();
    BufReader::new(reads).read_line(&mut question).await?;
    writes.write_all(b"17420 kg\n").await?;
    Ok(())
}

/// Says nothing, and keeps the connection until the yard closes it.
async fn hold(mut line: TcpStream) {
    let mut unread = [0; 64];
    while line.read(&mut unread).await.is_ok_and(|n| n > 0) {}
}
