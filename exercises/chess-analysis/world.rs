//! The world around the analysis: engines and an archive on real sockets, and players, some of whom close the page.

use std::{
    collections::HashMap,
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::Analysis;

/// What the licence allows.
const ENGINES: u64 = 32;
/// An engine thinks this long about most positions…
const THINKS: Duration = Duration::from_millis(60);
/// …and this long about a deep one.
const THINKS_DEEPLY: Duration = Duration::from_millis(600);
/// The archive takes this long for a move.
const NOTES: Duration = Duration::from_millis(20);
/// Nothing that a player waits for takes longer.
const LIMIT: Duration = Duration::from_secs(4);
/// All engines think within this time when as many players ask.
const ALL_MAX: Duration = Duration::from_millis(1_500);
/// Time for what should not happen.
const A_WHILE: Duration = Duration::from_millis(150);
/// How often somebody looks for what should happen.
const LOOK: Duration = Duration::from_millis(2);
/// Players who wait until an engine is free.
const WAITING: u64 = 8;
/// Players whose answers are on their way when the service is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    pub(crate) analysis: Arc<Analysis>,
    address: SocketAddr,
    hall: Arc<Hall>,
    /// Dropped with the world: the engines and the archive end with it.
    _peers: JoinSet<()>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (hall, mut peers) = (Arc::<Hall>::default(), JoinSet::new());
        let engines = peer(&mut peers, hall.clone(), engine).await?;
        let archive = peer(&mut peers, hall.clone(), archive).await?;
        let (analysis, address) = Analysis::open(engines, archive).await?;
        Ok(Self { analysis, address, hall, _peers: peers })
    }

    /// One player. Every fourth closes the page while an engine thinks about a position that has no end.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        match n % 8 {
            3 | 7 => self.closes_the_page(n).await,
            5 => {
                let mut player = self.ask("crash", n).await?;
                let line = player.line().await?;
                ensure!(line.as_deref() == Some("SORRY"), "an engine has crashed, and the player was told {line:?}");
                player.hang_up().await
            }
            1 => self.asks_twice("deep", n).await,
            _ => self.asks_twice("plain", n).await,
        }
    }

    async fn close(&self) -> anyhow::Result<()> {
        self.all_engines().await?;
        let mut players = self.ask_all("plain", 3_000_000..3_000_000 + AT_THE_END).await?;
        let begun = async {
            while !(0..AT_THE_END).all(|n| self.hall.times(&format!("plain-{}", 3_000_000 + n)) == 1) {
                sleep(LOOK).await;
            }
        };
        timeout(LIMIT, begun).await.context("no engine thinks about a question")?;
        let answers = exercise::all(players.iter_mut().map(async |player| {
            self.best(player).await?;
            ensure!(player.line().await?.is_none(), "the service goes on with a player after the stop");
            Ok(())
        }));
        let ((), answers) = tokio::join!(self.analysis.stop(), answers);
        answers?;
        ensure!(Player::connect(self.address, String::new()).await.is_err(), "a player was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.hall.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let [at_work, thinking] = [self.clone(), self.clone()];
        stage.gauge("at_work", move || at_work.analysis.at_work() as u64);
        stage.gauge("thinking", move || thinking.hall.thinking());
    }
}

impl World {
    async fn closes_the_page(&self, n: u64) -> anyhow::Result<()> {
        let player = self.ask("endless", n).await?;
        let begun = async {
            while self.hall.times(&player.position) == 0 {
                sleep(LOOK).await;
            }
        };
        timeout(LIMIT, begun).await.context("no engine thinks about a question")
    }

    /// The second time the answer comes from memory.
    async fn asks_twice(&self, kind: &str, n: u64) -> anyhow::Result<()> {
        let mut player = self.ask(kind, n).await?;
        self.best(&mut player).await?;
        player.ask().await?;
        self.best(&mut player).await?;
        let times = self.hall.times(&player.position);
        ensure!(times == 1, "engines have thought about {} {times} times", player.position);
        player.hang_up().await
    }

    /// Every engine thinks at the same time, and none more than the licence allows, whoever closes the page meanwhile.
    async fn all_engines(&self) -> anyhow::Result<()> {
        let mut players = self.ask_all("held", 2_000_000..2_000_000 + ENGINES).await?;
        let all = async {
            while self.hall.thinking() < ENGINES {
                sleep(LOOK).await;
            }
        };
        let all = timeout(ALL_MAX, all).await;
        ensure!(all.is_ok(), "{ENGINES} players ask, and {} of {ENGINES} engines think", self.hall.thinking());
        // These have no engine yet when they close the page.
        let gone = self.ask_all("held", 2_100_000..2_100_000 + WAITING).await?;
        sleep(A_WHILE).await;
        drop(gone);
        sleep(A_WHILE).await;
        players.extend(self.ask_all("held", 2_200_000..2_200_000 + WAITING).await?);
        sleep(A_WHILE).await;
        let at_once = self.hall.state().at_once;
        self.hall.held.send_replace(false);
        ensure!(at_once <= ENGINES, "{at_once} engines think at once, and the licence allows {ENGINES}");
        exercise::all(players.iter_mut().map(|player| self.best(player))).await
    }

    async fn ask(&self, kind: &str, n: u64) -> anyhow::Result<Player> {
        let mut player = Player::connect(self.address, format!("{kind}-{n}")).await?;
        player.ask().await?;
        Ok(player)
    }

    async fn ask_all(&self, kind: &str, all: Range<u64>) -> anyhow::Result<Vec<Player>> {
        let mut players = Vec::new();
        for n in all {
            players.push(self.ask(kind, n).await?);
        }
        Ok(players)
    }

    /// Reads the answer. Whoever has a move relies on the archive.
    async fn best(&self, player: &mut Player) -> anyhow::Result<()> {
        let (line, best) = (player.line().await?, best(&player.position));
        ensure!(line == Some(format!("BEST {best}")), "the answer to {} is {line:?}, not {best}", player.position);
        self.hall.ledger.accept(number(&player.position)?);
        Ok(())
    }
}

/// The move that any engine finds.
fn best(position: &str) -> String {
    let sum = position.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let square = |at: u32| format!("{}{}", char::from(b'a' + (at % 8) as u8), 1 + at / 8 % 8);
    square(sum >> 8) + &square(sum >> 16)
}

fn number(position: &str) -> anyhow::Result<u64> {
    let (_, number) = position.split_once('-').context("no position")?;
    Ok(number.parse()?)
}

/// What the engines do, and what the archive has.
struct Hall {
    state: Mutex<State>,
    /// Held positions are thought about until this is false.
    held: watch::Sender<bool>,
    ledger: Ledger,
}

#[derive(Default)]
struct State {
    thinking: u64,
    /// The highest number of engines that have thought at the same time.
    at_once: u64,
    times: HashMap<String, u64>,
}

impl Default for Hall {
    fn default() -> Self {
        Self { state: Mutex::default(), held: watch::Sender::new(true), ledger: Ledger::default() }
    }
}

impl Hall {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn thinking(&self) -> u64 {
        self.state().thinking
    }

    /// How often an engine began with a position.
    fn times(&self, position: &str) -> u64 {
        self.state().times.get(position).copied().unwrap_or(0)
    }

    async fn think(&self, position: &str) {
        match position.split_once('-') {
            Some(("deep", _)) => sleep(THINKS_DEEPLY).await,
            Some(("endless", _)) => std::future::pending().await,
            Some(("held", _)) => drop(self.held.subscribe().wait_for(|held| !held).await),
            _ => sleep(THINKS).await,
        }
    }
}

/// One engine thinks.
struct Thought<'a>(&'a Hall);

impl<'a> Thought<'a> {
    fn begin(hall: &'a Hall, position: &str) -> Self {
        let mut state = hall.state();
        state.thinking += 1;
        state.at_once = state.at_once.max(state.thinking);
        *state.times.entry(position.to_owned()).or_default() += 1;
        drop(state);
        Self(hall)
    }
}

impl Drop for Thought<'_> {
    fn drop(&mut self) {
        self.0.state().thinking -= 1;
    }
}

/// An engine: `GO position`, and after a while `BEST move`. Whoever says something meanwhile gets what was found so far, and whoever hangs up
/// nothing.
async fn engine(stream: TcpStream, hall: Arc<Hall>) -> anyhow::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut next = lines.next_line().await?;
    while let Some(line) = next {
        let position = line.strip_prefix("GO ").context("no question")?;
        let thought = Thought::begin(&hall, position);
        let more = tokio::select! {
            () = hall.think(position) => None,
            more = lines.next_line() => Some(more?.context("nobody waits for the answer")?),
        };
        drop(thought);
        ensure!(!position.starts_with("crash"), "the engine has crashed");
        writing.write_all(format!("BEST {}\n", best(position)).as_bytes()).await?;
        next = match more {
            Some(line) => Some(line),
            None => lines.next_line().await?,
        };
    }
    Ok(())
}

/// The archive: `NOTE position move`, and after a while `NOTED`.
async fn archive(stream: TcpStream, hall: Arc<Hall>) -> anyhow::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).await?;
    let ["NOTE", position, found] = line.split_whitespace().collect::<Vec<_>>()[..] else { return Ok(()) };
    sleep(NOTES).await;
    ensure!(found == best(position), "the archive was told {line:?}");
    hall.ledger.finish(number(position)?);
    stream.write_all(b"NOTED\n").await?;
    Ok(())
}

/// A peer. All its connections are one task, and none of the service's.
async fn peer<C>(
    peers: &mut JoinSet<()>,
    hall: Arc<Hall>,
    connection: impl Fn(TcpStream, Arc<Hall>) -> C + Send + 'static,
) -> anyhow::Result<SocketAddr>
where
    C: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    peers.spawn(async move {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    connections.extend(accepted.ok().map(|(stream, _)| connection(stream, hall.clone())));
                }
                // A client that has gone is no concern of a peer.
                Some(_gone) = connections.next() => {}
            }
        }
    });
    Ok(address)
}

/// A player's page, by its connection.
struct Player {
    stream: BufReader<TcpStream>,
    /// What the player asks about.
    position: String,
}

impl Player {
    async fn connect(analysis: SocketAddr, position: String) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(analysis).await.context("the service does not listen")?;
        Ok(Self { stream: BufReader::new(stream), position })
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        Ok(self.stream.write_all(format!("ANALYSE {}\n", self.position).as_bytes()).await?)
    }

    /// The next line; none at the end.
    async fn line(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = String::new();
        timeout(LIMIT, self.stream.read_line(&mut line)).await.context("nothing comes from the service")??;
        Ok((!line.is_empty()).then(|| line.trim_end().to_owned()))
    }

    /// The player has no more questions.
    async fn hang_up(&mut self) -> anyhow::Result<()> {
        self.stream.shutdown().await?;
        let line = self.line().await?;
        ensure!(line.is_none(), "the service said {line:?} to a player who has no more questions");
        Ok(())
    }
}
