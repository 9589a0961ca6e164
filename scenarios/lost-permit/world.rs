//! The outside world: a database that many tenants share, its driver, and callers who do not always wait.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime,
    sync::{Notify, oneshot},
    time::timeout,
};

/// No caller waits longer for a report.
const PATIENCE: Duration = Duration::from_secs(5);

/// One end of a connection, as the driver's users see it.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// A question was sent, and its answer is not here yet.
    is_asking: bool,
}

impl Connection {
    pub(crate) async fn open(database: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(database).await?;
        Ok(Self { stream: BufReader::new(stream), is_asking: false })
    }

    /// From here on all questions are about the data of this tenant.
    pub(crate) async fn use_tenant(
        &mut self,
        tenant: &str,
    ) -> Result<()> {
        let answer = self.ask(&format!("USE {tenant}\n")).await?;
        ensure!(answer == "OK", "{tenant}: {answer}");
        Ok(())
    }

    pub(crate) async fn count(&mut self) -> Result<u64> {
        Ok(self.ask("COUNT\n").await?.parse()?)
    }

    /// False when somebody left in the middle of a question: the next answer would be the one to that.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_asking
    }

    async fn ask(&mut self, question: &str) -> Result<String> {
        self.is_asking = true;
        self.stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        let bytes = self.stream.read_line(&mut answer).await?;
        ensure!(bytes > 0, "the database hung up");
        self.is_asking = false;
        Ok(answer.trim_end().to_owned())
    }
}

/// A database on a thread of its own: its tasks are none of the service's.
pub(crate) struct Database {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    /// Its end ends the thread.
    _open: oneshot::Sender<()>,
}

#[derive(Default)]
struct State {
    /// Connections accepted so far.
    opened: AtomicU64,
    /// By tenant: the migrations under way.
    locked: Mutex<HashMap<String, Arc<Migration>>>,
}

/// While it is under way, a question about its tenant gets no answer.
#[derive(Default)]
struct Migration {
    asked: Notify,
    is_over: Notify,
}

impl Database {
    pub(crate) fn open() -> Result<Self> {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State::default());
        let (open, closed) = oneshot::channel();
        let serving = serve(listener, state.clone());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = serving => served.expect("accepts"),
                    _ = closed => {}
                }
            });
        });
        Ok(Self { addr, state, _open: open })
    }

    /// Connections that were ever opened to it.
    pub(crate) fn opened(&self) -> u64 {
        self.state.opened.load(Ordering::Relaxed)
    }
}

async fn serve(
    listener: std::net::TcpListener,
    state: Arc<State>,
) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (peer, _) = listener.accept().await?;
        state.opened.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(session(peer, state.clone()));
    }
}

/// Ends with its connection. A real one has a limit for what is idle.
async fn session(
    mut peer: TcpStream,
    state: Arc<State>,
) -> Result<()> {
    let (from, mut to) = peer.split();
    let mut questions = BufReader::new(from).lines();
    while let Some(question) = questions.next_line().await? {
        let answer = match question.strip_prefix("USE ") {
            Some(tenant) if tenant.starts_with("gone") => {
                "no such tenant"
            }
            Some(tenant) => {
                let migration =
                    state.locked.lock().unwrap().get(tenant).cloned();
                if let Some(migration) = migration {
                    migration.asked.notify_one();
                    tokio::select! {
                        () = migration.is_over.notified() => {}
                        end = questions.next_line() => {
                            ensure!(end?.is_none(), "asked twice");
                            return Ok(());
                        }
                    }
                }
                "OK"
            }
            None => "3",
        };
        to.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Three callers of a morning: one gets a report, one asks for a tenant who has left, one hangs up while a migration is under way.
pub(crate) async fn morning(
    database: &Database,
    n: u64,
    report: impl AsyncFn(&str) -> Result<u64>,
) -> Result<()> {
    let asked = timeout(PATIENCE, report(&format!("here-{n}"))).await;
    ensure!(asked.context("no connection is free")?? == 3);

    let asked = timeout(PATIENCE, report(&format!("gone-{n}"))).await;
    ensure!(asked.context("no connection is free")?.is_err());

    let tenant = format!("busy-{n}");
    let migration = Arc::new(Migration::default());
    let locked = &database.state.locked;
    locked.lock().unwrap().insert(tenant.clone(), migration.clone());
    let hung_up = tokio::select! {
        biased;
        _ = report(&tenant) => false,
        asked = timeout(PATIENCE, migration.asked.notified()) => asked.is_ok(),
    };
    locked.lock().unwrap().remove(&tenant);
    migration.is_over.notify_one();
    if !hung_up {
        bail!("the database was not asked");
    }
    Ok(())
}
