//! Connects new engines where some are missing.
//!
//! The analysis of a chess site: players ask for the best move in a position, and engines on another machine look for it.
//!
//! Run it: `cargo run --bin chess-analysis-trap-top-up`

mod world;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// What the licence allows. An engine thinks about one position at a time.
const ENGINES: usize = 32;
/// The deepest search ends sooner.
const THINK_MAX: Duration = Duration::from_secs(20);
/// A page that says nothing for this long is connected anew when the player comes back to it.
const PAGE_MAX: Duration = Duration::from_secs(60);
/// How often somebody counts the engines.
const COUNT_EVERY: Duration = Duration::from_millis(20);
/// The archive answers sooner, or not at all.
const ARCHIVE_MAX: Duration = Duration::from_secs(2);
/// Moves that are kept in memory: the games that everybody looks at.
const KNOWN_MAX: usize = 256;
/// Pages at the same time; a site with more has a second service.
const PAGES_MAX: usize = 4_096;
/// After an error of the system, such as too many open files, the service takes a breath.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Answers players: `ANALYSE position` with `BEST move`, or with `SORRY`.
pub(crate) struct Analysis {
    engines: Engines,
    archive: SocketAddr,
    known: Mutex<Known>,
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Analysis {
    /// Connects the engines, and listens for players; returns where.
    pub(crate) async fn open(engines: SocketAddr, archive: SocketAddr) -> anyhow::Result<(Arc<Self>, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for players")?;
        let address = listener.local_addr()?;
        let analysis = Arc::new(Self {
            engines: Engines::open(engines).await?,
            archive,
            known: Mutex::default(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        analysis.tasks.spawn(analysis.clone().listen(listener));
        analysis.tasks.spawn(analysis.clone().top_up(engines));
        Ok((analysis, address))
    }

    /// Engines that are at work, for the status page.
    pub(crate) fn at_work(&self) -> usize {
        self.engines.back.capacity()
    }

    /// Takes no player and no further question, and returns when those under way have their answers, and the archive has them too.
    pub(crate) async fn stop(&self) {
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopped.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) if self.tasks.len() <= PAGES_MAX => {
                    let analysis = self.clone();
                    self.tasks.spawn(async move {
                        if let Err(error) = analysis.serve(stream).await {
                            eprintln!("{peer}: {error:#}");
                        }
                    });
                }
                Ok((_, peer)) => eprintln!("{peer}: there is no room for another page"),
                Err(error) => {
                    eprintln!("cannot take a player: {error}");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Replaces engines that are gone, until the service is stopped.
    async fn top_up(self: Arc<Self>, address: SocketAddr) {
        while self.stopped.run_until_cancelled(sleep(COUNT_EVERY)).await.is_some() {
            for _ in 0..self.at_work() {
                self.engines.put(Engine { address, stream: None });
            }
        }
    }

    /// The connection of a page: one question after the other, until it is closed.
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (reading, mut writing) = stream.into_split();
        let mut lines = BufReader::new(reading).lines();
        while let Some(line) = self.next(&mut lines).await? {
            let Some(("ANALYSE", position)) = line.split_once(' ') else { bail!("it said {line:?}") };
            let found = tokio::select! {
                found = self.analyse(position) => found,
                // When the page is closed, nobody wants to know any more, and a deep search would be in the way of others.
                more = lines.next_line() => return more?.map_or(Ok(()), |line| Err(anyhow!("instead of waiting it said {line:?}"))),
            };
            let answer = match found {
                Ok(best) => format!("BEST {best}\n"),
                Err(error) => {
                    eprintln!("{position}: {error:#}");
                    "SORRY\n".to_owned()
                }
            };
            timeout(PAGE_MAX, writing.write_all(answer.as_bytes())).await.context("it does not read")??;
        }
        Ok(())
    }

    /// The next line of a page; none when it was closed, or the service is stopped.
    async fn next(&self, lines: &mut Lines<BufReader<OwnedReadHalf>>) -> anyhow::Result<Option<String>> {
        tokio::select! {
            () = self.stopped.cancelled() => Ok(None),
            line = timeout(PAGE_MAX, lines.next_line()) => Ok(line.context("it is silent")??),
        }
    }

    /// The best move, from memory or from an engine. The archive gets each move that an engine has found.
    async fn analyse(&self, position: &str) -> anyhow::Result<String> {
        if let Some(best) = lock(&self.known).best.get(position) {
            return Ok(best.clone());
        }
        let mut engine = self.engines.take().await?;
        let found = engine.think(position).await;
        // Also after an error: it is connected anew when somebody needs it.
        self.engines.put(engine);
        let best = found?;
        lock(&self.known).add(position, &best);
        // A task of its own, so that nobody has to wait for the archive. It ends by itself.
        self.tasks.spawn(note(self.archive, format!("NOTE {position} {best}")));
        Ok(best)
    }
}

/// The latest moves.
#[derive(Default)]
struct Known {
    best: HashMap<String, String>,
    /// Oldest first.
    positions: VecDeque<String>,
}

impl Known {
    fn add(&mut self, position: &str, best: &str) {
        if self.best.insert(position.to_owned(), best.to_owned()).is_none() {
            self.positions.push_back(position.to_owned());
        }
        if self.positions.len() > KNOWN_MAX
            && let Some(oldest) = self.positions.pop_front()
        {
            self.best.remove(&oldest);
        }
    }
}

/// All engines. Whoever needs one takes it, and puts it back.
struct Engines {
    /// Whoever has used an engine sends it, the next one receives it. Both ends are here, so nobody closes it.
    back: mpsc::Sender<Engine>,
    idle: tokio::sync::Mutex<mpsc::Receiver<Engine>>,
}

impl Engines {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let (back, idle) = mpsc::channel(ENGINES);
        let engines = Self { back, idle: tokio::sync::Mutex::new(idle) };
        for _ in 0..ENGINES {
            let stream = TcpStream::connect(address).await.context("there is no engine")?;
            engines.put(Engine { address, stream: Some(BufReader::new(stream)) });
        }
        Ok(engines)
    }

    /// Waits for an engine; whoever came first gets the first one.
    async fn take(&self) -> anyhow::Result<Engine> {
        self.idle.lock().await.recv().await.context("there are no engines any more")
    }

    fn put(&self, engine: Engine) {
        // There is room for all of them.
        let _ = self.back.try_send(engine);
    }
}

/// One engine, by its connection.
struct Engine {
    address: SocketAddr,
    /// None after a question without a whole answer: what comes next would belong to the old question.
    stream: Option<BufReader<TcpStream>>,
}

impl Engine {
    async fn think(&mut self, position: &str) -> anyhow::Result<String> {
        let exchange = async {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => BufReader::new(TcpStream::connect(self.address).await.context("there is no engine")?),
            };
            stream.write_all(format!("GO {position}\n").as_bytes()).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let best = line.strip_prefix("BEST ").with_context(|| format!("the engine said {line:?}"))?;
            self.stream = Some(stream);
            Ok(best.trim_end().to_owned())
        };
        timeout(THINK_MAX, exchange).await.context("the engine thinks for too long")?
    }
}

/// Tells the archive a move.
async fn note(archive: SocketAddr, record: String) {
    let exchange = async {
        let mut stream = TcpStream::connect(archive).await?;
        stream.write_all(format!("{record}\n").as_bytes()).await?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).await?;
        ensure!(reply == "NOTED\n", "it said {reply:?}");
        Ok(())
    };
    if let Err(error) = timeout(ARCHIVE_MAX, exchange).await.context("it is too slow").flatten() {
        eprintln!("the archive does not have {record:?}: {error:#}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
