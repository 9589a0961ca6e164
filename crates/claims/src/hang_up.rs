//! Claims about a client of an HTTP server that goes away, or never
//! says a word: real TCP, and `axum::serve`.

use std::{future::pending, net::SocketAddr, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::StatusCode,
    routing::any,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::claim::{Claim, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "hang-ups",
        "a hang-up drops the handler only while the server reads on",
        || paused(hang_ups()),
    )
    .made_by(FILES, CRATES),
    Claim::steady(
        "silent-peer",
        "who connects and says nothing stays for ever, unless reading the header has a limit",
        || paused(silent_peer()),
    )
    .made_by(FILES, CRATES),
];

const FILES: &[&str] = &["crates/claims/src/claim.rs"];
const CRATES: &[&str] = &["axum", "hyper", "hyper-util", "tokio"];

// ANCHOR: hang-ups
/// A client sends a request and goes away while the handler works.
async fn hang_ups() -> anyhow::Result<Value> {
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = |path: &str, length: usize, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let mebibyte = "x".repeat(1024 * 1024);
    let mut server = Server::start().await?;
    Ok(json!({
        "get": server.after(get, drop).await?,
        "body_unread":
            server.after(&post("/", 5, "12345"), drop).await?,
        "half_body":
            server.after(&post("/", 10, "12345"), drop).await?,
        "large_body": server
            .after(&post("/", mebibyte.len(), &mebibyte), drop)
            .await?,
        "pipelined": server.after(&get.repeat(2), drop).await?,
        "write_half_shut":
            server.after(get, shut_the_write_half).await?,
        "body_read_first":
            server.after(&post("/read", 10, "12345"), drop).await?,
    }))
}

/// Works for ever, and does not look at its body.
async fn work(State(starts): State<Starts>, _unread: Body) {
    // Nothing is sent on it: the handler's end drops it.
    let (_in_handler, handler_end) = oneshot::channel::<()>();
    let _ = starts.send(handler_end).await;
    pending().await
}

/// Works for ever, and reads its body meanwhile.
async fn read_and_work(
    State(starts): State<Starts>,
    body: Body,
) -> StatusCode {
    let (_in_handler, handler_end) = oneshot::channel::<()>();
    let _ = starts.send(handler_end).await;
    tokio::select! {
        // The body breaks off: its client has gone.
        Err(_) = to_bytes(body, 1024) => StatusCode::BAD_REQUEST,
        () = pending() => StatusCode::OK,
    }
}

type Starts = mpsc::Sender<oneshot::Receiver<()>>;

struct Server {
    address: SocketAddr,
    /// Handlers send, `after` receives one for each request.
    starts: mpsc::Receiver<oneshot::Receiver<()>>,
}

impl Server {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (started, starts) = mpsc::channel(1);
        let app = Router::new()
            .route("/", any(work))
            .route("/read", any(read_and_work))
            .with_state(started);
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self { address, starts })
    }

    /// What became of this request's handler, after its client went
    /// away, three others came and were seen to go, and an hour
    /// passed.
    async fn after<Rest>(
        &mut self,
        request: &str,
        go: impl FnOnce(TcpStream) -> Rest,
    ) -> anyhow::Result<&'static str> {
        let (client, mut handler) = self.begin(request).await?;
        let _rest = go(client);
        for _ in 0..3 {
            let (client, handler) = self
                .begin("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                .await?;
            drop(client);
            let _dropped = handler.await;
        }
        settle().await; // No time limit ends it either.
        let dropped = handler.try_recv()
            == Err(oneshot::error::TryRecvError::Closed);
        Ok(if dropped { "dropped" } else { "still alive" })
    }

    /// Sends a request; its handler has started, and tells its end.
    async fn begin(
        &mut self,
        request: &str,
    ) -> anyhow::Result<(TcpStream, oneshot::Receiver<()>)> {
        let mut client = TcpStream::connect(self.address).await?;
        client.write_all(request.as_bytes()).await?;
        let handler = self.starts.recv().await;
        Ok((client, handler.context("no request came")?))
    }
}

/// The client has sent all it had, and can still read the answer.
fn shut_the_write_half(client: TcpStream) -> TcpStream {
    let client = client.into_std().expect("it is open");
    let _ = client.shutdown(std::net::Shutdown::Write);
    TcpStream::from_std(client).expect("it is open")
}
// ANCHOR_END: hang-ups

// ANCHOR: silent-peer
/// A client connects and sends nothing, to `axum::serve` and to a
/// connection of hyper's that limits how long a header may take.
async fn silent_peer() -> anyhow::Result<Value> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client =
        TcpStream::connect(listener.local_addr()?).await?;
    let app = Router::new();
    tokio::spawn(axum::serve(listener, app).into_future());
    let day = Duration::from_secs(24 * 3600);
    let read = timeout(day, client.read(&mut [0])).await;
    let open_after = if read.is_err() { "24 hours" } else { "0" };

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client =
        TcpStream::connect(listener.local_addr()?).await?;
    let (io, _) = listener.accept().await?;
    let limited = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .serve_connection(
            TokioIo::new(io),
            hyper_util::service::TowerToHyperService::new(
                Router::new(),
            ),
        );
    let began = Instant::now();
    tokio::spawn(limited);
    let closed = timeout(day, client.read(&mut [0])).await.is_ok();
    Ok(json!({
        "axum_serve_open_after": open_after,
        "header_limit_closed": closed,
        "header_limit_closed_after_s": began.elapsed().as_secs(),
    }))
}
// ANCHOR_END: silent-peer
