//! The world around the deed search: two land registers on real sockets, and notaries, not all of whom wait for an answer.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    runtime::Handle,
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use crate::{Deeds, Found};

/// A register needs so long for a name.
const LOOKS_UP: Duration = Duration::from_millis(60);
/// The old register has some of its deeds in the cellar, and needs so long for these.
const CELLAR: Duration = Duration::from_millis(500);
/// In a common name the old register finds one deed more after each such time, for hours.
const NEXT: Duration = Duration::from_millis(50);
/// Most names have so many deeds in a register…
const DEEDS: usize = 2;
/// …and a large family so many.
const MANY: usize = 60;
/// Nobody is told sooner that there are too many deeds. A busy machine answers late, but not soon.
const SOON: Duration = Duration::from_millis(1_000);
/// Lookups that are under way when the search is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    deeds: Arc<Deeds>,
    registers: Arc<Registers>,
    /// Dropped with the world: the registers end with it.
    _peers: JoinSet<()>,
}

/// What a notary asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Rare,
    /// The old register does not come to an end.
    Common,
    InTheCellar,
    /// A common name, and the notary closes the page.
    Left,
    LargeFamily,
    /// A common name which a court has sealed. The old register knows nothing of seals.
    Sealed,
}

impl Case {
    fn of(n: u64) -> Self {
        match n % 6 {
            0 => Self::Rare,
            1 => Self::Common,
            2 => Self::InTheCellar,
            3 => Self::Left,
            4 => Self::LargeFamily,
            _ => Self::Sealed,
        }
    }

    /// Whether all deeds are there before anybody has lost patience.
    fn has_an_end(self) -> bool {
        matches!(self, Self::Rare | Self::InTheCellar | Self::LargeFamily)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Old,
    New,
}

impl Register {
    /// Every deed in a name of which there are not too many.
    fn deeds(self, n: u64) -> Vec<String> {
        let count = if (Case::of(n), self) == (Case::LargeFamily, Self::Old) { MANY } else { DEEDS };
        (0..count).map(|deed| format!("{self:?}-{n}-{deed:02}")).collect()
    }
}

/// What the registers have been asked for.
#[derive(Default)]
struct Registers {
    ledger: Ledger,
    /// Searches that a register is at.
    searches: AtomicU64,
    /// Notaries who soon had an answer, and not all their deeds in it.
    sent_away: AtomicU64,
    /// The names that have come to the old register.
    asked: watch::Sender<BTreeSet<u64>>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (registers, mut peers) = (Arc::<Registers>::default(), JoinSet::new());
        let old = serve(&mut peers, Register::Old, registers.clone()).await?;
        let new = serve(&mut peers, Register::New, registers.clone()).await?;
        Ok(Self { deeds: Deeds::new(old, new), registers, _peers: peers })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let ledger = &self.registers.ledger;
        ledger.accept(n);
        let since = Instant::now();
        let answered = self.ask(n).await;
        if answered.is_err() && Case::of(n).has_an_end() && since.elapsed() < SOON {
            self.registers.sent_away.fetch_add(1, Ordering::Relaxed);
        }
        match answered {
            Ok(true) => ledger.finish(n),
            Ok(false) | Err(_) => ledger.refuse(n),
        }
        answered.map(drop)
    }

    async fn close(&self) -> anyhow::Result<()> {
        // Each of them has an answer: none of these names is common.
        let last = (0..AT_THE_END).map(|n| self.unit(600_000 + 2 * n));
        // The lookups are polled first, and so are under way when the search is stopped.
        let (last, ()) = tokio::join!(exercise::all(last), self.deeds.stop());
        last?;
        ensure!(self.deeds.look_up("0").await.is_err(), "a name was looked up after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.registers.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let [searches, sent_away] = [self.registers.clone(), self.registers.clone()];
        stage.gauge("searches", move || searches.searches.load(Ordering::Relaxed));
        stage.gauge("sent_away", move || sent_away.sent_away.load(Ordering::Relaxed));
        let runtime = Handle::current();
        stage.gauge("busy_threads", move || {
            let metrics = runtime.metrics();
            metrics.num_blocking_threads().saturating_sub(metrics.num_idle_blocking_threads()) as u64
        });
    }
}

impl World {
    /// Looks a name up and checks the answer; true when it has all deeds, and false when there is nothing to have.
    async fn ask(&self, n: u64) -> anyhow::Result<bool> {
        let (case, name) = (Case::of(n), n.to_string());
        let look_up = self.deeds.look_up(&name);
        if case == Case::Left {
            // The server drops the request of a client that hangs up.
            tokio::select! {
                found = look_up => bail!("name {n} was answered before anybody had left: {found:?}"),
                () = self.registers.asked(n) => return Ok(false),
            }
        }
        match (case, look_up.await) {
            (case, Ok(Found::All(found))) if case.has_an_end() => {
                let right = [Register::New, Register::Old].map(|register| register.deeds(n)).concat();
                ensure!(found == right, "name {n} has {} deeds, and the answer has {found:?}", right.len());
                Ok(true)
            }
            (Case::Common, Ok(Found::TooMany)) => Ok(false),
            (Case::Sealed, Err(error)) if format!("{error:#}").contains("SEALED") => Ok(false),
            (_, Err(error)) => Err(error.context(format!("name {n}, {case:?}"))),
            (_, Ok(found)) => bail!("name {n}, {case:?}, has the answer {found:?}"),
        }
    }
}

impl Registers {
    /// Waits until this name has come to the old register.
    async fn asked(&self, n: u64) {
        // It is closed with the registers, and these are ours.
        let _ = self.asked.subscribe().wait_for(|names| names.contains(&n)).await;
    }
}

/// One search, for as long as a register is at it.
struct Search<'a>(&'a AtomicU64);

impl<'a> Search<'a> {
    fn begin(searches: &'a AtomicU64) -> Self {
        searches.fetch_add(1, Ordering::Relaxed);
        Self(searches)
    }
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A register: `FIND name`, and a line for each deed. All its connections are one task.
async fn serve(peers: &mut JoinSet<()>, register: Register, all: Arc<Registers>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    peers.spawn(async move {
        let mut searches = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    searches.extend(accepted.ok().map(|(stream, _)| search(stream, register, &all)));
                }
                // A client that has gone is no concern of a register.
                Some(_gone) = searches.next() => {}
            }
        }
    });
    Ok(addr)
}

async fn search(stream: TcpStream, register: Register, all: &Registers) -> anyhow::Result<()> {
    let (reads, mut writes) = stream.into_split();
    let (mut reads, mut question) = (BufReader::new(reads), String::new());
    reads.read_line(&mut question).await?;
    let n: u64 = question.trim_end().strip_prefix("FIND ").context("no question")?.parse()?;
    let _search = Search::begin(&all.searches);
    if register == Register::Old {
        all.asked.send_if_modified(|names| names.insert(n));
    }
    let mut more = [0];
    tokio::select! {
        answered = answer(&mut writes, register, n) => answered,
        // Nothing comes but the end.
        _ended = reads.read(&mut more) => Ok(()),
    }
}

async fn answer(client: &mut OwnedWriteHalf, register: Register, n: u64) -> anyhow::Result<()> {
    match (register, Case::of(n)) {
        (Register::Old, Case::Common | Case::Left | Case::Sealed) => loop {
            sleep(NEXT).await;
            client.write_all(format!("DEED {register:?}-{n}\n").as_bytes()).await?;
        },
        (Register::New, Case::Sealed) => {
            sleep(LOOKS_UP).await;
            client.write_all(b"SEALED by a court\n").await?;
        }
        (register, case) => {
            sleep(if (register, case) == (Register::Old, Case::InTheCellar) { CELLAR } else { LOOKS_UP }).await;
            let deeds: String = register.deeds(n).iter().map(|deed| format!("DEED {deed}\n")).collect();
            client.write_all(format!("{deeds}END\n").as_bytes()).await?;
        }
    }
    Ok(())
}
