//! The outside world: the provider that takes the pushes, one caller, and a supervisor that does not wait for ever.

use std::{
    collections::HashMap,
    fmt::{Display, Formatter},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader,
        Lines,
    },
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// After SIGTERM a supervisor waits this long, then it kills. Kubernetes waits 30 s, systemd 90 s.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(4);

/// Any free port.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// As many notifications as the caller asks for at once.
const ASKED: u64 = 8;
/// After this many pushes of a new batch the SIGTERM comes.
const HALF: usize = 4;
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

/// A connection to the provider: a line a push, a line an answer.
struct Line {
    answers: Lines<BufReader<OwnedReadHalf>>,
    pushes: OwnedWriteHalf,
}

impl Line {
    pub(crate) async fn open(
        provider: SocketAddr,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(provider)
            .await
            .context("the provider is away")?;
        stream.set_nodelay(true)?;
        let (answers, pushes) = stream.into_split();
        Ok(Self { answers: BufReader::new(answers).lines(), pushes })
    }

    /// Returns when the provider has taken it.
    pub(crate) async fn push(
        &mut self,
        id: u64,
    ) -> anyhow::Result<()> {
        self.pushes
            .write_all(format!("push {id}\n").as_bytes())
            .await?;
        let answer = self.answers.next_line().await?;
        ensure!(
            answer.as_deref() == Some("taken"),
            "not taken: {answer:?}"
        );
        Ok(())
    }
}

/// Pushes one after the other and counts in `pushed`: whoever stops waiting knows how many were taken.
pub(crate) async fn push_all(
    provider: SocketAddr,
    ids: &[u64],
    pushed: &mut usize,
) -> anyhow::Result<()> {
    let mut line = Line::open(provider).await?;
    for id in ids {
        line.push(*id).await?;
        *pushed += 1;
    }
    Ok(())
}

/// The provider: on its side it is seen what was pushed twice.
pub(crate) struct Provider {
    pub(crate) addr: SocketAddr,
    books: Arc<Books>,
    /// Owns the task that answers: it ends with the provider.
    _task: JoinSet<()>,
}

/// What the provider writes down.
pub(crate) struct Books {
    taken: Mutex<HashMap<u64, u64>>,
    repeated: AtomicU64,
    lines: AtomicU64,
    /// The provider says that half of a new batch is there; the caller waits.
    half: Notify,
    /// The world counts starts of the service; a thinking provider watches. Open as long as the books are.
    starts: watch::Sender<u64>,
    pace: Pace,
}

/// How long the provider takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// For the push in the middle of a new batch, if nobody starts a new instance before.
    pub(crate) middle: Duration,
    /// For any other.
    pub(crate) other: Duration,
}

impl Provider {
    pub(crate) async fn start(pace: Pace) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let addr = listener.local_addr()?;
        let books = Arc::new(Books {
            taken: Mutex::default(),
            repeated: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            half: Notify::new(),
            starts: watch::Sender::new(0),
            pace,
        });
        let mut task = JoinSet::new();
        task.spawn(books.clone().take_all(listener));
        Ok(Self { addr, books, _task: task })
    }

    pub(crate) fn books(&self) -> Arc<Books> {
        self.books.clone()
    }
}

impl Books {
    async fn take_all(self: Arc<Self>, listener: TcpListener) {
        let mut lines = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => drop(lines.spawn(self.clone().take(stream))),
                Some(_) = lines.join_next() => {}
            }
        }
    }

    async fn take(self: Arc<Self>, stream: TcpStream) {
        self.lines.fetch_add(1, Ordering::SeqCst);
        let _ = self.answer(stream).await;
        self.lines.fetch_sub(1, Ordering::SeqCst);
    }

    async fn answer(
        &self,
        mut stream: TcpStream,
    ) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let (pushes, mut answers) = stream.split();
        let (mut pushes, mut place) =
            (BufReader::new(pushes).lines(), 0);
        while let Some(push) = pushes.next_line().await? {
            let id = push
                .strip_prefix("push ")
                .context("not a push")?
                .parse()?;
            let times = *self
                .taken
                .lock()
                .unwrap()
                .entry(id)
                .and_modify(|times| *times += 1)
                .or_insert(1);
            place += 1;
            if times > 1 {
                self.repeated.fetch_add(1, Ordering::SeqCst);
            }
            if times == 1 && place == HALF {
                let mut starts = self.starts.subscribe();
                self.half.notify_one();
                let _ =
                    timeout(self.pace.middle, starts.changed()).await;
            } else {
                sleep(self.pace.other).await;
            }
            answers.write_all(b"taken\n").await?;
        }
        Ok(())
    }

    /// Pushes of something that had been pushed before.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::SeqCst)
    }

    /// Whether somebody is pushing.
    pub(crate) fn in_a_batch(&self) -> bool {
        self.lines.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.taken.lock().unwrap().contains_key(&id)
    }

    /// Waits until half of a new batch has been pushed.
    pub(crate) async fn half(&self) -> anyhow::Result<()> {
        timeout(LIMIT, self.half.notified())
            .await
            .context("no batch came")
    }

    /// Waits until all of `ids` are here and nobody is pushing.
    pub(crate) async fn have_all(
        &self,
        ids: impl IntoIterator<Item = u64>,
    ) -> anyhow::Result<()> {
        let ids: Vec<_> = ids.into_iter().collect();
        let all = async {
            while !ids.iter().all(|id| self.has(*id))
                || self.in_a_batch()
            {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, all).await.context("a notification is lost")
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
    exit_ms: AtomicU64,
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
        let show = |name, read: fn(&Gauges) -> &AtomicU64| {
            let gauges = self.gauges.clone();
            stage.gauge(name, move || {
                read(&gauges).load(Ordering::SeqCst)
            });
        };
        show("exit_ms", |gauges| &gauges.exit_ms);
        show("late", |gauges| &gauges.late);
        show("torn", |gauges| &gauges.torn);
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
        self.provider.books.half().await
    }

    /// Sends SIGTERM, as it were: the service stops. When it takes too long nobody waits for it any more.
    pub(crate) async fn sigterm(
        &self,
        stop: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let stopped = timeout(STOP_LIMIT, stop).await;
        self.gauges.exit_ms.fetch_add(
            started.elapsed().as_millis() as u64,
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
        self.provider.books.starts.send_modify(|starts| *starts += 1);
        self.provider.books.have_all(ids(restart)).await
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
