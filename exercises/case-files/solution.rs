//! The reading room of a law office: lawyers open cases in the archive, read their documents, and close them again.
//!
//! Run it: `cargo run --bin case-files-solution`

mod world;

use std::{
    collections::{HashMap, VecDeque},
    mem,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Semaphore,
    time::{interval, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// Sessions that a case may have at a time; the archive has to share its memory among all offices.
const SESSIONS_MAX: usize = 2;
/// The archive locks a case that is silent. Short here, a minute in an office.
const ROUND: Duration = Duration::from_millis(50);
/// Neither the archive nor the journal may take longer than this.
const PEER_MAX: Duration = Duration::from_secs(5);

/// The reading room, for all lawyers of the office.
pub(crate) struct Office {
    archive: SocketAddr,
    journal: SocketAddr,
    cases: Mutex<HashMap<u64, Arc<Case>>>,
    /// What lawyers wait for; closed when the office is.
    under_way: TaskTracker,
    tasks: TaskTracker,
    stopped: CancellationToken,
}

impl Office {
    pub(crate) fn new(archive: SocketAddr, journal: SocketAddr) -> Self {
        let (under_way, tasks, stopped) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        Self { archive, journal, cases: Mutex::default(), under_way, tasks, stopped }
    }

    /// Opens a case for whoever has its key.
    pub(crate) async fn open(&self, number: u64, key: &str) -> anyhow::Result<()> {
        let _under_way = self.enter()?;
        ensure!(self.case(number).is_err(), "case {number} is open already");
        let case = Case::open(self, number, key).await?;
        lock(&self.cases).insert(number, case);
        Ok(())
    }

    /// The text of a document. Who has read what stands in the journal; the lawyer does not wait for it.
    pub(crate) async fn read(&self, number: u64, document: u64) -> anyhow::Result<String> {
        let _under_way = self.enter()?;
        let case = self.case(number)?;
        let answer = case.sessions.ask(&format!("READ {document}")).await?;
        let text = answer.strip_prefix("TEXT ").with_context(|| format!("document {document}: {answer}"))?;
        self.tasks.spawn(note(self.journal, number, document));
        Ok(text.to_owned())
    }

    /// From now on the case is read with another key. Whoever reads with the old one reads to the end.
    pub(crate) async fn change_key(&self, number: u64, key: &str) -> anyhow::Result<()> {
        let _under_way = self.enter()?;
        self.case(number)?;
        let renewed = Case::open(self, number, key).await?;
        // A key may open a case and not be good for its documents: then the old one stays.
        let answer = renewed.sessions.ask("INDEX").await?;
        ensure!(answer == "INDEX", "the new key of case {number}: {answer}");
        lock(&self.cases).insert(number, renewed);
        Ok(())
    }

    /// Closes a case. Whoever reads in it reads to the end.
    pub(crate) fn close(&self, number: u64) -> anyhow::Result<()> {
        lock(&self.cases).remove(&number).map(drop).with_context(|| format!("case {number} is not open"))
    }

    /// Cases that are open, for the status page.
    pub(crate) fn cases(&self) -> usize {
        lock(&self.cases).len()
    }

    /// Takes nothing new, lets lawyers read to the end, and closes all cases.
    pub(crate) async fn stop(&self) {
        self.under_way.close();
        self.under_way.wait().await;
        lock(&self.cases).clear();
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The office waits for whoever has what this returns.
    fn enter(&self) -> anyhow::Result<TaskTrackerToken> {
        let token = self.under_way.token();
        ensure!(!self.under_way.is_closed(), "the office is closed");
        Ok(token)
    }

    fn case(&self, number: u64) -> anyhow::Result<Arc<Case>> {
        lock(&self.cases).get(&number).cloned().with_context(|| format!("case {number} is not open"))
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.stopped.cancel();
    }
}

/// A case that is open. Whoever reads in it has it, and the keeper does not: the end of the last one ends the keeper.
struct Case {
    sessions: Arc<Sessions>,
    _closes: DropGuard,
}

/// The sessions of a case at the archive, which readers and the keeper have.
struct Sessions {
    archive: SocketAddr,
    number: u64,
    key: String,
    /// A permit for each session that is in use.
    room: Semaphore,
    /// Sessions that are not in use; the last one was used last.
    idle: Mutex<VecDeque<Session>>,
}

impl Case {
    async fn open(office: &Office, number: u64, key: &str) -> anyhow::Result<Arc<Self>> {
        let first = Session::open(office.archive, number, key).await?;
        let sessions = Arc::new(Sessions {
            archive: office.archive,
            number,
            key: key.to_owned(),
            room: Semaphore::new(SESSIONS_MAX),
            idle: Mutex::new(VecDeque::from([first])),
        });
        let closed = office.stopped.child_token();
        office.tasks.spawn(sessions.clone().keep(closed.clone()));
        Ok(Arc::new(Self { sessions, _closes: closed.drop_guard() }))
    }
}

impl Sessions {
    /// One question, over a session that is free or a new one.
    async fn ask(&self, question: &str) -> anyhow::Result<String> {
        let _place = self.room.acquire().await?;
        let idle = lock(&self.idle).pop_back();
        let mut session = match idle {
            Some(session) => session,
            None => Session::open(self.archive, self.number, &self.key).await?,
        };
        let answer = session.ask(question).await?;
        // Only after a whole answer: what is cut off in the middle is not used again.
        lock(&self.idle).push_back(session);
        Ok(answer)
    }

    /// Keeps the sessions awake that are not in use, until the case is closed; then the archive hears goodbye on each.
    async fn keep(self: Arc<Self>, closed: CancellationToken) {
        let mut round = interval(ROUND);
        loop {
            tokio::select! {
                () = closed.cancelled() => break,
                _ = round.tick() => self.ping().await,
            }
        }
        let idle = mem::take(&mut *lock(&self.idle));
        for session in idle {
            session.end().await;
        }
    }

    async fn ping(&self) {
        for _ in 0..SESSIONS_MAX {
            // Without room all sessions are in use, and none of them is silent.
            let Ok(_place) = self.room.try_acquire() else { return };
            let Some(mut session) = lock(&self.idle).pop_front() else { return };
            match session.ask("PING").await {
                Ok(_) => lock(&self.idle).push_back(session),
                Err(error) => eprintln!("case {}: a session is lost: {error:#}", self.number),
            }
        }
    }
}

/// A connection to a peer; to the archive one on which a key was shown.
struct Session(BufReader<TcpStream>);

impl Session {
    async fn connect(peer: SocketAddr) -> anyhow::Result<Self> {
        let stream = timeout(PEER_MAX, TcpStream::connect(peer)).await.context("a peer is too slow")?;
        Ok(Self(BufReader::new(stream.context("cannot connect")?)))
    }

    async fn open(archive: SocketAddr, number: u64, key: &str) -> anyhow::Result<Self> {
        let mut session = Self::connect(archive).await?;
        let answer = session.ask(&format!("OPEN {number} {key}")).await?;
        ensure!(answer == "OPENED", "case {number}: {answer}");
        Ok(session)
    }

    /// One line to the peer, and one line back.
    async fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        let exchange = async {
            self.0.write_all(format!("{question}\n").as_bytes()).await?;
            let mut answer = String::new();
            self.0.read_line(&mut answer).await?;
            ensure!(answer.ends_with('\n'), "the peer hung up");
            Ok(answer.trim_end().to_owned())
        };
        timeout(PEER_MAX, exchange).await.context("a peer is too slow")?
    }

    /// A session that ends without goodbye looks to the archive like a burglar's.
    async fn end(mut self) {
        if let Err(error) = self.ask("GOODBYE").await {
            eprintln!("the archive did not hear goodbye: {error:#}");
        }
    }
}

/// Tells the journal what was read.
async fn note(journal: SocketAddr, number: u64, document: u64) {
    let noted = async { Session::connect(journal).await?.ask(&format!("NOTE {number} {document}")).await };
    match noted.await {
        Ok(answer) if answer == "NOTED" => {}
        other => eprintln!("the journal does not have document {document} of case {number}: {other:?}"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
