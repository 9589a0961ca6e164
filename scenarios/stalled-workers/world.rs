//! The outside world: a wholesaler who takes the connection and says nothing, customers, and a supervisor that starts and stops the
//! pharmacy's service, which is a process of its own.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use futures_util::{
    StreamExt, future::join_all, stream::FuturesUnordered,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::{Mutex, watch},
    task::JoinSet,
    time::timeout,
};

/// Any free port.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// The first argument of the service, before the wholesaler's address.
const SERVE: &str = "serve";
/// Customers who ask for what only the wholesaler knows.
const ASK_WHOLESALER: usize = 8;
/// Customers who find out whether the service answers at all.
const PROBES: usize = 8;
/// Customers who ask for what the pharmacy knows itself.
const ASK_PHARMACY: u64 = 4;
/// A customer waits so long, and so does the supervisor after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// The wholesaler's address, when this process is the service.
pub(crate) fn serves() -> Option<SocketAddr> {
    let mut args = env::args().skip(1);
    let is_service = args.next().as_deref() == Some(SERVE);
    is_service.then(|| args.next()?.parse().ok()).flatten()
}

pub(crate) struct World {
    wholesaler: SocketAddr,
    /// Lines that the wholesaler has accepted. It sends, `stock` receives; it closes with the wholesaler.
    lines: watch::Receiver<usize>,
    /// One service's customers at a time, so that the first line which comes is known to be theirs.
    turn: Mutex<()>,
    unanswered: Arc<AtomicU64>,
    killed: Arc<AtomicU64>,
    /// Dropped with the world, and so are its lines.
    _wholesaler: JoinSet<anyhow::Result<()>>,
}

impl World {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let wholesaler = listener.local_addr()?;
        let (accepted, lines) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(say_nothing(listener, accepted));
        Ok(Self {
            wholesaler,
            lines,
            turn: Mutex::default(),
            unanswered: Arc::default(),
            killed: Arc::default(),
            _wholesaler: tasks,
        })
    }

    pub(crate) fn show(&self, stage: &stage::Stage) {
        for (name, gauge) in [
            ("unanswered", &self.unanswered),
            ("killed", &self.killed),
        ] {
            let gauge = gauge.clone();
            stage.gauge(name, move || gauge.load(Ordering::SeqCst));
        }
        let lines = self.lines.clone();
        stage.gauge("reached", move || *lines.borrow() as u64);
    }

    /// One day of a service, from its start to its end.
    pub(crate) async fn day(&self) -> anyhow::Result<()> {
        let (mut service, addr) = self.start().await?;
        let _waiting = self.stock(addr).await?;
        // Where one gets no answer, nobody does until the end: so the others come when that is clear.
        for _ in 0..PROBES {
            if timeout(PATIENCE, healthy(addr)).await.is_err() {
                break;
            }
        }
        let health = (0..ASK_PHARMACY)
            .map(|_| timeout(PATIENCE, healthy(addr)));
        for answer in join_all(health).await {
            match answer {
                Ok(answer) => answer?,
                Err(_) => {
                    self.unanswered.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        let id = service.id().context("it has ended by itself")?;
        let id =
            Pid::from_raw(id.cast_signed()).context("no process")?;
        kill_process(id, Signal::TERM)?;
        if timeout(PATIENCE, service.wait()).await.is_err() {
            self.killed.fetch_add(1, Ordering::SeqCst);
            service.kill().await?;
        }
        Ok(())
    }

    async fn start(&self) -> anyhow::Result<(Child, SocketAddr)> {
        let mut service = Command::new(env::current_exe()?)
            .arg(SERVE)
            .arg(self.wholesaler.to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let says = service.stdout.take().context("no pipe")?;
        let mut addr = String::new();
        let mut says = BufReader::new(says);
        timeout(LIMIT, says.read_line(&mut addr)).await??;
        let addr = addr.trim().parse().context("no address")?;
        Ok((service, addr))
    }

    /// Customers ask for the stock of a drug, and wait. The first question reaches the wholesaler.
    async fn stock(
        &self,
        pharmacy: SocketAddr,
    ) -> anyhow::Result<Vec<TcpStream>> {
        let _turn = self.turn.lock().await;
        let mut lines = self.lines.clone();
        let before = *lines.borrow();
        let mut waiting = vec![ask(pharmacy, "/stock").await?];
        let asked = lines.wait_for(|all| *all > before);
        timeout(LIMIT, asked).await.context("unasked")??;
        for _ in 1..ASK_WHOLESALER {
            waiting.push(ask(pharmacy, "/stock").await?);
        }
        Ok(waiting)
    }
}

async fn ask(
    to: SocketAddr,
    path: &str,
) -> anyhow::Result<TcpStream> {
    let mut customer = TcpStream::connect(to).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    );
    customer.write_all(request.as_bytes()).await?;
    Ok(customer)
}

async fn healthy(pharmacy: SocketAddr) -> anyhow::Result<()> {
    let mut customer = ask(pharmacy, "/health").await?;
    let mut answer = String::new();
    customer.read_to_string(&mut answer).await?;
    ensure!(answer.ends_with("open"), "closed: {answer}");
    Ok(())
}

/// The wholesaler's one task, which holds all lines until the pharmacy closes them.
async fn say_nothing(
    listener: TcpListener,
    accepted: watch::Sender<usize>,
) -> anyhow::Result<()> {
    let mut lines = FuturesUnordered::new();
    loop {
        tokio::select! {
            line = listener.accept() => {
                lines.push(hold(line?.0));
                accepted.send_modify(|accepted| *accepted += 1);
            }
            Some(()) = lines.next() => {}
        }
    }
}

async fn hold(mut line: TcpStream) {
    let mut unread = [0; 64];
    while line.read(&mut unread).await.is_ok_and(|n| n > 0) {}
}
