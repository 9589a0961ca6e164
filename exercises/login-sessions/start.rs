//! The sessions of a shop: a login begins one, and it ends with a logout, or when nobody has used it for too long.
//!
//! Run it: `cargo run --bin login-sessions-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A customer may look for a credit card, and still be there.
const BROWSER_IDLE_MAX: Duration = Duration::from_secs(30);
/// A terminal sees its clerk's badge all the time: without it, somebody else may stand there.
const TERMINAL_IDLE_MAX: Duration = Duration::from_millis(500);
/// Neither the directory nor the audit log may take longer than this.
const PEER_MAX: Duration = Duration::from_secs(2);

/// Names a session. A real one cannot be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) u64);

/// Where somebody logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Browser,
    Terminal,
}

impl Device {
    fn idle_max(self) -> Duration {
        match self {
            Self::Browser => BROWSER_IDLE_MAX,
            Self::Terminal => TERMINAL_IDLE_MAX,
        }
    }
}

struct Session {
    token: Token,
    user: String,
    device: Device,
    last_seen: Mutex<Instant>,
    has_ended: AtomicBool,
}

impl Session {
    fn new(token: Token, user: &str, device: Device) -> Self {
        let (user, last_seen) = (user.to_owned(), Mutex::new(Instant::now()));
        Self { token, user, device, last_seen, has_ended: AtomicBool::new(false) }
    }

    fn deadline(&self) -> Instant {
        *lock(&self.last_seen) + self.device.idle_max()
    }

    fn is_over(&self) -> bool {
        self.has_ended.load(Ordering::Acquire) || self.deadline() <= Instant::now()
    }

    /// True for the first who ends it: exactly one ending goes to the audit log.
    fn end(&self) -> bool {
        !self.has_ended.swap(true, Ordering::AcqRel)
    }
}

/// All sessions of this instance.
pub(crate) struct Sessions {
    directory: SocketAddr,
    audit: SocketAddr,
    table: Arc<Mutex<Table>>,
    last_token: AtomicU64,
    tasks: TaskTracker,
    closing: CancellationToken,
}

#[derive(Default)]
struct Table {
    by_token: HashMap<Token, Arc<Session>>,
    is_closed: bool,
}

impl Sessions {
    /// `directory` knows the passwords, `audit` keeps the endings.
    pub(crate) fn new(directory: SocketAddr, audit: SocketAddr) -> Self {
        Self {
            directory,
            audit,
            table: Arc::default(),
            last_token: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Begins a session for whoever knows the password.
    pub(crate) async fn login(&self, user: &str, password: &str, device: Device) -> anyhow::Result<Token> {
        let answer = ask(self.directory, &format!("CHECK {user} {password}")).await?;
        ensure!(answer == "OK", "the directory says {answer:?} to {user}");
        let token = Token(self.last_token.fetch_add(1, Ordering::Relaxed) + 1);
        let session = Arc::new(Session::new(token, user, device));
        {
            let mut table = lock(&self.table);
            ensure!(!table.is_closed, "this instance is closed");
            table.by_token.insert(token, session.clone());
        }
        self.tasks.spawn(watch(session, self.table.clone(), self.audit, self.closing.clone()));
        Ok(token)
    }

    /// Says whose session this is, and that somebody has used it.
    pub(crate) fn request(&self, token: Token) -> anyhow::Result<String> {
        let session = self.open(token)?;
        *lock(&session.last_seen) = Instant::now();
        Ok(session.user.clone())
    }

    /// Ends a session. Returns when the audit log has it.
    pub(crate) async fn logout(&self, token: Token) -> anyhow::Result<()> {
        let session = self.open(token)?;
        self.finish(&session).await
    }

    /// Ends whatever a user has open, after a change of the password.
    pub(crate) async fn logout_everywhere(&self, user: &str) -> anyhow::Result<()> {
        let of_user = |session: &&Arc<Session>| session.user == user && !session.is_over();
        let open: Vec<_> = lock(&self.table).by_token.values().filter(of_user).cloned().collect();
        for session in open {
            self.finish(&session).await?;
        }
        Ok(())
    }

    /// Sessions that this instance knows.
    pub(crate) fn len(&self) -> usize {
        lock(&self.table).by_token.len()
    }

    /// Takes no new login, and leaves what is open to another instance.
    pub(crate) async fn stop(&self) {
        let open: Vec<_> = {
            let mut table = lock(&self.table);
            table.is_closed = true;
            table.by_token.drain().map(|(_, session)| session).collect()
        };
        self.closing.cancel();
        for session in open.into_iter().filter(|session| session.end()) {
            // Another instance may take it over.
            self.tasks.spawn(note(self.audit, session, "SUSPENDED"));
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn open(&self, token: Token) -> anyhow::Result<Arc<Session>> {
        let session = lock(&self.table).by_token.get(&token).filter(|session| !session.is_over()).cloned();
        session.with_context(|| format!("there is no session {token}"))
    }

    async fn finish(&self, session: &Arc<Session>) -> anyhow::Result<()> {
        if session.end() {
            // A task, so that a client who hangs up does not take the record along.
            self.tasks.spawn(note(self.audit, session.clone(), "LOGOUT")).await?;
        }
        Ok(())
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Watches over one session until it is over, takes it out of the table, and notes when it has expired.
async fn watch(session: Arc<Session>, table: Arc<Mutex<Table>>, audit: SocketAddr, closing: CancellationToken) {
    loop {
        tokio::select! {
            () = sleep_until(session.deadline()) => {}
            () = closing.cancelled() => return,
        }
        if session.is_over() {
            break;
        }
    }
    lock(&table).by_token.remove(&session.token);
    if session.end() {
        note(audit, session, "EXPIRED").await;
    }
}

/// Tells the audit log how a session ended.
async fn note(audit: SocketAddr, session: Arc<Session>, ending: &str) {
    let record = format!("{ending} {} {}", session.token, session.user);
    match ask(audit, &record).await {
        Ok(answer) if answer == "NOTED" => {}
        Ok(answer) => eprintln!("the audit log says {answer:?} to: {record}"),
        Err(error) => eprintln!("the audit log does not have: {record}: {error:#}"),
    }
}

/// One question to a peer, over a connection of its own.
async fn ask(peer: SocketAddr, question: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(peer).await.context("cannot connect")?;
        stream.write_all(format!("{question}\n").as_bytes()).await?;
        match BufReader::new(stream).lines().next_line().await? {
            Some(answer) => Ok(answer),
            None => bail!("the peer hung up"),
        }
    };
    timeout(PEER_MAX, exchange).await.context("the peer is too slow")?
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
