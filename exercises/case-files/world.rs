//! The world around the reading room: an archive and a journal on real sockets, and lawyers.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::Office;

/// The archive takes this long to find a document.
const FIND: Duration = Duration::from_millis(5);
/// A lawyer reads two documents at a time, this many times.
const ROUNDS: u64 = 4;
/// This one takes as long as the world wants.
const LONG: u64 = 90;
/// Cases in which nobody reads for now.
const QUIET: u64 = 4;
/// The archive hears of a quiet case again within this time.
const SILENT_MAX: Duration = Duration::from_secs(1);
/// So often.
const PINGS: u64 = 2;
/// The cases of the load have other numbers.
const FIRST: u64 = 100;

pub(crate) struct World {
    pub(crate) office: Office,
    archive: Arc<Archive>,
    ledger: Arc<Ledger>,
    /// Dropped with the world: its peers end with it.
    _peers: [AbortOnDropHandle<()>; 2],
}

/// What becomes of the new key of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// It is good.
    Changed,
    /// The archive does not know it.
    Unknown,
    /// It is good, and the case is closed while somebody reads in it.
    Closed,
    /// It opens the case and not its documents.
    Powerless,
}

impl Course {
    fn of(case: u64) -> Self {
        [Self::Changed, Self::Unknown, Self::Closed, Self::Powerless][(case % 4) as usize]
    }
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (archive, ledger) = (Arc::<Archive>::default(), Arc::<Ledger>::default());
        let files = archive.clone();
        let (files_at, files) = peer(move |stream| files.clone().serve(stream)).await?;
        let read = ledger.clone();
        let (journal_at, journal) = peer(move |stream| journal(stream, read.clone())).await?;
        let office = Office::new(files_at, journal_at);
        for case in 0..QUIET {
            office.open(case, &key(case, 1)).await?;
        }
        Ok(Self { office, archive, ledger, _peers: [files, journal] })
    }

    /// A case is opened, read, read with another key, and closed.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let case = FIRST + n;
        self.office.open(case, &key(case, 1)).await?;
        for round in 0..ROUNDS {
            exercise::all([2 * round, 2 * round + 1].map(|document| self.read(case, document, 1))).await?;
        }
        let change = async {
            let gate = self.archive.gate(case);
            gate.begun.notified().await;
            let changed = self.change(case).await;
            gate.go.notify_one();
            changed
        };
        tokio::try_join!(self.read(case, LONG, 1), change)?;
        if Course::of(case) != Course::Closed {
            self.office.close(case)?;
        }
        ensure!(self.office.read(case, 0).await.is_err(), "case {case} is closed, and can be read");
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        for case in 0..QUIET {
            let heard = self.archive.hears(case);
            let silent = || format!("the archive hears nothing of case {case}, which is open, and locks it");
            timeout(SILENT_MAX, heard).await.with_context(silent)?;
        }
        let last = exercise::all((0..QUIET).map(|case| self.read(case, LONG, 1)));
        let gates: Vec<_> = (0..QUIET).map(|case| self.archive.gate(case)).collect();
        let stop = async {
            for gate in &gates {
                gate.begun.notified().await;
            }
            // The stop is polled first: the documents are being read then.
            tokio::join!(self.office.stop(), async { gates.iter().for_each(|gate| gate.go.notify_one()) });
            anyhow::Ok(())
        };
        tokio::try_join!(last, stop)?;
        let left = self.archive.sessions.load(Ordering::Relaxed);
        ensure!(left == 0, "the office is closed, and {left} of its sessions are at the archive");
        ensure!(self.office.open(99, &key(99, 1)).await.is_err(), "a case was opened after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("open_cases", move || world.office.cases() as u64);
        let archive = self.archive.clone();
        stage.gauge("sessions", move || archive.sessions.load(Ordering::Relaxed));
        let archive = self.archive.clone();
        stage.gauge("connects", move || archive.connects.load(Ordering::Relaxed));
        let archive = self.archive.clone();
        stage.gauge("no_goodbye", move || archive.no_goodbye.load(Ordering::Relaxed));
    }
}

impl World {
    /// Reads a document; whoever has read it stands in the journal, once.
    async fn read(&self, case: u64, document: u64, which: u64) -> anyhow::Result<()> {
        let said = self.office.read(case, document).await?;
        self.ledger.accept(entry(case, document));
        let right = text(case, document, &key(case, which));
        ensure!(said == right, "document {document} of case {case} is {said:?}, and it should be {right:?}");
        Ok(())
    }

    /// Changes the key while somebody reads, and closes the case where its course says so.
    async fn change(&self, case: u64) -> anyhow::Result<()> {
        let (course, new) = (Course::of(case), key(case, 2));
        let changed = self.office.change_key(case, &new).await;
        let is_good = matches!(course, Course::Changed | Course::Closed);
        match (changed, is_good) {
            (Err(error), true) => return Err(error.context("the new key is good")),
            (Ok(()), false) => bail!("case {case} has a key that is no good"),
            _ => {}
        }
        // One after the other: somebody still reads with the old key.
        for document in 20..24 {
            self.read(case, document, if is_good { 2 } else { 1 }).await?;
        }
        if course == Course::Closed {
            self.office.close(case)?;
        }
        Ok(())
    }
}

fn key(case: u64, which: u64) -> String {
    format!("key-{which}-of-{case}")
}

fn text(case: u64, document: u64, key: &str) -> String {
    format!("document {document} of case {case}, opened with {key}")
}

/// The number of a reading in the ledger.
fn entry(case: u64, document: u64) -> u64 {
    case * 100 + document
}

#[derive(Default)]
struct Archive {
    connects: AtomicU64,
    /// Open now.
    sessions: AtomicU64,
    /// Ended without a word.
    no_goodbye: AtomicU64,
    /// How often each case was heard of, by pings.
    pings: Mutex<HashMap<u64, u64>>,
    gates: Mutex<HashMap<u64, Arc<Gate>>>,
}

/// Where the long document of a case waits.
#[derive(Default)]
struct Gate {
    begun: Notify,
    go: Notify,
}

impl Archive {
    fn gate(&self, case: u64) -> Arc<Gate> {
        self.gates.lock().unwrap().entry(case).or_default().clone()
    }

    fn pings(&self, case: u64) -> u64 {
        self.pings.lock().unwrap().get(&case).copied().unwrap_or(0)
    }

    /// Returns when there were pings in a case.
    async fn hears(&self, case: u64) {
        let enough = self.pings(case) + PINGS;
        while self.pings(case) < enough {
            sleep(FIND).await;
        }
    }

    /// One connection, to its end.
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        let mut stream = BufReader::new(stream);
        let Ok((case, key)) = self.opened(&mut stream).await else { return };
        self.sessions.fetch_add(1, Ordering::Relaxed);
        // A session that fails has no goodbye either.
        if !self.session(&mut stream, case, &key).await.unwrap_or(false) {
            self.no_goodbye.fetch_add(1, Ordering::Relaxed);
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// `OPEN case key`.
    async fn opened(&self, stream: &mut BufReader<TcpStream>) -> anyhow::Result<(u64, String)> {
        let line = line(stream).await?.context("no word")?;
        let ["OPEN", case, shown] = line.split(' ').collect::<Vec<_>>()[..] else { bail!("no key") };
        let case = case.parse()?;
        let is_known = shown == key(case, 1) || (shown == key(case, 2) && Course::of(case) != Course::Unknown);
        if !is_known {
            stream.write_all(b"this key is unknown\n").await?;
            bail!("a key that is unknown");
        }
        Ok((case, shown.to_owned()))
    }

    /// The questions of a session. True when it ended with goodbye.
    async fn session(&self, stream: &mut BufReader<TcpStream>, case: u64, shown: &str) -> anyhow::Result<bool> {
        stream.write_all(b"OPENED\n").await?;
        let is_powerless = Course::of(case) == Course::Powerless && shown == key(case, 2);
        while let Some(line) = line(stream).await? {
            let answer = match line.split(' ').collect::<Vec<_>>()[..] {
                ["PING"] => {
                    *self.pings.lock().unwrap().entry(case).or_default() += 1;
                    "PONG".to_owned()
                }
                ["GOODBYE"] => {
                    self.sessions.fetch_sub(1, Ordering::Relaxed);
                    // Whoever does not wait for the answer has said it all the same.
                    let _ = stream.write_all(b"GOODBYE\n").await;
                    return Ok(true);
                }
                _ if is_powerless => "this key has no power here".to_owned(),
                ["INDEX"] => "INDEX".to_owned(),
                ["READ", document] => {
                    let document = document.parse()?;
                    self.find(case, document).await;
                    format!("TEXT {}", text(case, document, shown))
                }
                _ => "what".to_owned(),
            };
            stream.write_all(format!("{answer}\n").as_bytes()).await?;
        }
        Ok(false)
    }

    async fn find(&self, case: u64, document: u64) {
        if document == LONG {
            let gate = self.gate(case);
            gate.begun.notify_one();
            gate.go.notified().await;
        } else {
            sleep(FIND).await;
        }
    }
}

/// The journal: `NOTE case document`.
async fn journal(stream: TcpStream, ledger: Arc<Ledger>) {
    let mut stream = BufReader::new(stream);
    let Ok(Some(line)) = line(&mut stream).await else { return };
    if let ["NOTE", case, document] = line.split(' ').collect::<Vec<_>>()[..]
        && let (Ok(case), Ok(document)) = (case.parse(), document.parse())
    {
        ledger.finish(entry(case, document));
        // A client that has gone is no concern of the journal.
        let _ = stream.write_all(b"NOTED\n").await;
    }
}

/// A line without its end; none at the end of the connection.
async fn line(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.strip_suffix('\n').map(str::to_owned))
}

/// A peer. All its connections are one task, so that the tasks which are counted are the service's.
async fn peer<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let all = async move {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => connections.push(serve(stream)),
                Some(()) = connections.next() => {}
            }
        }
    };
    Ok((addr, AbortOnDropHandle::new(tokio::spawn(all))))
}
