//! The outside world: a backend on a thread of its own, and tenants who ask in turn.

use std::{net::SocketAddr, thread};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
};

/// So many tenants ask in turn.
pub(crate) const TENANTS: u64 = 10;

/// What a tenant sends. Its token is renewed each time.
pub(crate) struct Request {
    pub(crate) tenant: u64,
    pub(crate) token: String,
}

pub(crate) fn request(number: u64) -> Request {
    let tenant = number % TENANTS;
    Request { tenant, token: format!("token-{number}") }
}

/// Answers each line with the same line. Its connections end with it.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    _alive: oneshot::Sender<()>,
}

impl Backend {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (alive, over) = oneshot::channel();
        let (started, address) = oneshot::channel();
        thread::Builder::new().name("backend".into()).spawn(
            move || {
                let runtime = runtime::Builder::new_current_thread()
                    .enable_io()
                    .build()
                    .expect("a runtime");
                runtime.block_on(serve(started, over));
            },
        )?;
        Ok(Self { address: address.await?, _alive: alive })
    }
}

async fn serve(
    started: oneshot::Sender<SocketAddr>,
    mut over: oneshot::Receiver<()>,
) {
    let listener =
        TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let _ = started.send(listener.local_addr().expect("bound"));
    // No tasks: those that the console counts are the gateway's.
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = &mut over => return,
            Some(_) = connections.next() => {}
            Ok((stream, _)) = listener.accept() => {
                connections.push(echo(stream));
            }
        }
    }
}

async fn echo(stream: TcpStream) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        lines.get_mut().write_all(line.as_bytes()).await?;
        lines.get_mut().write_all(b"\n").await?;
    }
    Ok(())
}
