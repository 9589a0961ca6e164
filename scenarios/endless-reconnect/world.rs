//! The outside world: an exchange that answers, the address of one that is down, and the driver that reaches them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime,
    sync::oneshot,
    time::timeout,
};

/// No single try to connect takes longer.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Tries of this process to connect, whoever made them.
static TRIES: AtomicU64 = AtomicU64::new(0);

/// The driver's end of a connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn open(exchange: SocketAddr) -> Result<Self> {
        TRIES.fetch_add(1, Ordering::Relaxed);
        let connecting = TcpStream::connect(exchange);
        let stream = timeout(CONNECT_MAX, connecting).await??;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) async fn price(&mut self, share: &str) -> Result<u64> {
        let question = format!("{share}\n");
        self.0.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        let bytes = self.0.read_line(&mut answer).await?;
        ensure!(bytes > 0, "the exchange hung up");
        Ok(answer.trim_end().parse()?)
    }
}

pub(crate) fn tries() -> u64 {
    TRIES.load(Ordering::Relaxed)
}

/// Two exchanges. The one that answers has a thread of its own: its tasks are none of the service's.
pub(crate) struct Exchanges {
    pub(crate) open: SocketAddr,
    pub(crate) down: SocketAddr,
    /// Bound, so that nobody else gets this port; it does not listen, so that every try is refused.
    _down: TcpSocket,
    /// Its end ends the thread.
    _open: oneshot::Sender<()>,
}

impl Exchanges {
    pub(crate) fn start() -> Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = TcpSocket::new_v4()?;
        socket.bind(any_port)?;
        let listener = std::net::TcpListener::bind(any_port)?;
        listener.set_nonblocking(true)?;
        let (hold, closed) = oneshot::channel();
        let exchanges = Self {
            open: listener.local_addr()?,
            down: socket.local_addr()?,
            _down: socket,
            _open: hold,
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = serve(listener) => served.expect("accepts"),
                    _ = closed => {}
                }
            });
        });
        Ok(exchanges)
    }
}

async fn serve(listener: std::net::TcpListener) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (peer, _) = listener.accept().await?;
        tokio::spawn(session(peer));
    }
}

/// Ends with its connection. A real one has a limit for what is idle.
async fn session(mut peer: TcpStream) -> Result<()> {
    let (from, mut to) = peer.split();
    let mut questions = BufReader::new(from).lines();
    while let Some(_share) = questions.next_line().await? {
        to.write_all(b"42\n").await?;
    }
    Ok(())
}
