//! The outside world: the provider that takes the pushes, one caller, and a supervisor that does not wait for ever.

#[path = "provider.rs"]
pub(crate) mod provider;

use std::{
    fmt::{Display, Formatter},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use provider::{Pace, Provider};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// After SIGTERM a supervisor waits this long, then it kills. Kubernetes waits 30 s, systemd 90 s.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Any free port.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// As many notifications as the caller asks for at once.
const ASKED: u64 = 8;
const PACE: Pace = Pace {
    middle: Duration::from_millis(200),
    other: Duration::from_millis(2),
};
/// The provider, the pusher, the server, and axum's own task that listens for the stop.
const TASKS: usize = 4;
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(10);

/// Where an instance of the service finds what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The folder of its journal.
    pub(crate) dir: PathBuf,
    /// The provider that takes its pushes.
    pub(crate) provider: SocketAddr,
}

impl Place {
    /// `serve DIR PROVIDER`: the arguments of a program that is to serve for real.
    pub(crate) fn from_args() -> Option<Self> {
        let args: Vec<_> = std::env::args().skip(1).collect();
        match args.as_slice() {
            [serve, dir, provider] if serve == "serve" => {
                Some(Self {
                    dir: dir.into(),
                    provider: provider.parse().ok()?,
                })
            }
            _ => None,
        }
    }
}

/// What an instance says when it is up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) addr: SocketAddr,
    /// Batches that the instance before began and did not commit.
    pub(crate) torn: u64,
}

impl Ready {
    pub(crate) fn new(
        listener: &TcpListener,
        torn: u64,
    ) -> anyhow::Result<Self> {
        Ok(Self { addr: listener.local_addr()?, torn })
    }
}

impl Display for Ready {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} torn {}", self.addr, self.torn)
    }
}

/// Restarts one service again and again, each time in the middle of a batch.
pub(crate) struct World {
    pub(crate) place: Place,
    _dir: TempDir,
    provider: Provider,
    gauges: Arc<Gauges>,
}

#[derive(Default)]
struct Gauges {
    /// How long stops took, in microseconds: some take less than a millisecond.
    exit_micros: AtomicU64,
    late: AtomicU64,
    torn: AtomicU64,
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (dir, provider) =
            (tempfile::tempdir()?, Provider::start(PACE).await?);
        let place = Place {
            dir: dir.path().to_owned(),
            provider: provider.addr,
        };
        Ok(Self {
            place,
            _dir: dir,
            provider,
            gauges: Arc::default(),
        })
    }

    pub(crate) fn show_gauges(&self, stage: &stage::Stage) {
        let show = |name, read: fn(&Gauges) -> u64| {
            let gauges = self.gauges.clone();
            stage.gauge(name, move || read(&gauges));
        };
        show("exit_ms", |gauges| {
            gauges.exit_micros.load(Ordering::SeqCst) / 1_000
        });
        show("late", |gauges| gauges.late.load(Ordering::SeqCst));
        show("torn", |gauges| gauges.torn.load(Ordering::SeqCst));
        let books = self.provider.books();
        stage.gauge("repeated", move || books.repeated());
    }

    /// A caller asks for eight pushes, and four of them are made.
    pub(crate) async fn half_a_batch(
        &self,
        service: SocketAddr,
        restart: u64,
    ) -> anyhow::Result<()> {
        let ids: Vec<_> =
            ids(restart).map(|id| id.to_string()).collect();
        post(service, &ids.join(",")).await?;
        self.provider.books().half().await
    }

    /// Sends SIGTERM, as it were: the service stops. When it takes too long nobody waits for it any more.
    pub(crate) async fn sigterm(
        &self,
        stop: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let stopped = timeout(STOP_LIMIT, stop).await;
        self.gauges.exit_micros.fetch_add(
            started.elapsed().as_micros() as u64,
            Ordering::SeqCst,
        );
        if stopped.is_err() {
            self.gauges.late.fetch_add(1, Ordering::SeqCst);
        }
        stopped.unwrap_or(Ok(()))
    }

    /// The next instance is up and found `torn` batches. Waits until it has pushed what was left.
    pub(crate) async fn started(
        &self,
        torn: u64,
        restart: u64,
    ) -> anyhow::Result<()> {
        self.gauges.torn.fetch_add(torn, Ordering::SeqCst);
        self.provider.books().started();
        self.provider.books().have_all(ids(restart)).await
    }
}

/// The load: restarts of one service on one journal, one at a time, each in the middle of a batch.
pub(crate) async fn restart_all_day<S>(
    stage: &stage::Stage,
    start: impl AsyncFn(&Place) -> anyhow::Result<S>,
    stop: impl AsyncFn(S) -> anyhow::Result<()>,
    ready: impl Fn(&S) -> Ready,
) -> anyhow::Result<(World, tokio::sync::Mutex<Option<S>>)> {
    let world = World::start().await?;
    world.show_gauges(stage);
    let running =
        tokio::sync::Mutex::new(Some(start(&world.place).await?));
    // Some tasks start tasks of their own: what is counted as "before" is the whole service.
    let metrics = tokio::runtime::Handle::current().metrics();
    let all = async {
        while metrics.num_alive_tasks() < TASKS {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, all)
        .await
        .context("the service did not come up")?;
    stage
        .load(async |restart| {
            let mut running = running.lock().await;
            let old = running
                .take()
                .context("the service did not come up again")?;
            world.half_a_batch(ready(&old).addr, restart).await?;
            world.sigterm(stop(old)).await?;
            let new = start(&world.place).await?;
            let torn = ready(&new).torn;
            *running = Some(new);
            world.started(torn, restart).await
        })
        .await;
    Ok((world, running))
}

fn ids(restart: u64) -> impl Iterator<Item = u64> {
    restart * ASKED..(restart + 1) * ASKED
}

/// Asks the service for pushes, as `curl -X POST http://…/notify/1,2,3` does.
async fn post(service: SocketAddr, ids: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(service).await?;
    let request = format!(
        "POST /notify/{ids} HTTP/1.1\r\nhost: {service}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(
        answer.starts_with("HTTP/1.1 202 "),
        "not accepted: {answer}"
    );
    Ok(())
}
