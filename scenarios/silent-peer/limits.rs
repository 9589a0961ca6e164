//! Which limit ends which silence of a client, as a table: real TCP, TLS and HTTP/1.
//!
//! Run it: `cargo run --example silent-peer-limits`

#[expect(dead_code, reason = "there is no load here")]
mod world;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    routing::get,
};
use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use world::{ANY_PORT, World};

/// Each limit. All but one silence have begun by then.
const MAX: Duration = Duration::from_secs(1);
/// What is open by then waits for ever.
const LONG: Duration = Duration::from_secs(6);
/// More than the buffers of a connection take.
const MUCH: usize = 16 * 1024 * 1024;

#[derive(Clone, Copy, PartialEq)]
enum Limit {
    Handshake,
    Header,
    Request,
    KeepAlive,
    Connection,
}
use Limit::{Connection, Handshake, Header, KeepAlive, Request};
const LIMITS: [Limit; 5] =
    [Handshake, Header, Request, KeepAlive, Connection];

type Line = Box<dyn AsyncWrite + Send + Unpin>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    print!("{}", table().await?);
    Ok(())
}

async fn table() -> anyhow::Result<String> {
    let world = World::new()?;
    let silences = [
        "connects, and sends nothing",
        "half of a TLS hello",
        "after the handshake, nothing",
        "half of a header",
        "half of a body",
        "after an answer, nothing",
        "asks for much, and reads nothing",
    ];
    let rows = silences.iter().enumerate().map(async |(n, name)| {
        let ends = LIMITS.map(|limit| ends(&world, n, limit));
        let ends: anyhow::Result<Vec<_>> =
            join_all(ends).await.into_iter().collect();
        anyhow::Ok(format!("| {name} | {} |\n", ends?.join(" | ")))
    });
    let rows: anyhow::Result<Vec<_>> =
        join_all(rows).await.into_iter().collect();
    let head = "| the client's silence | handshake | `header_read_timeout` | handler | TCP keep-alive | whole connection |\n|---|---|---|---|---|---|\n";
    Ok(head.to_owned() + &rows?.concat())
}

/// What becomes of the server's task for one such client.
async fn ends(
    world: &World,
    silence: usize,
    limit: Limit,
) -> anyhow::Result<&'static str> {
    let listener = TcpListener::bind(ANY_PORT).await?;
    let (server, tls) = (listener.local_addr()?, world.tls());
    let task = tokio::spawn(async move {
        answer(listener.accept().await?.0, tls, limit).await
    });
    let _line = fall_silent(world, server, silence).await?;
    let ended = timeout(LONG, task).await.is_ok();
    Ok(if ended { "ends" } else { "waits" })
}

async fn fall_silent(
    world: &World,
    to: SocketAddr,
    silence: usize,
) -> anyhow::Result<Line> {
    let part = match silence {
        0 => return Ok(Box::new(TcpStream::connect(to).await?)),
        1 => return Ok(Box::new(world.half_a_hello(to).await?)),
        2 => "",
        3 => "GET / HTTP/1.1\r\nhos",
        4 => {
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345"
        }
        5 => return Ok(Box::new(world.page(to).await?)),
        _ => "GET /much HTTP/1.1\r\nhost: x\r\n\r\n",
    };
    let mut line = world.connect(to).await?;
    line.write_all(part.as_bytes()).await?;
    line.flush().await?;
    Ok(Box::new(line))
}

async fn answer(
    line: TcpStream,
    tls: TlsAcceptor,
    limit: Limit,
) -> anyhow::Result<()> {
    let max = |own| if own == limit { MAX } else { Duration::MAX };
    if limit == KeepAlive {
        let probes = TcpKeepalive::new()
            .with_time(MAX)
            .with_interval(MAX)
            .with_retries(1);
        SockRef::from(&line).set_tcp_keepalive(&probes)?;
    }
    let handler = max(Request);
    let read = async move |body: Body| {
        let read = timeout(handler, to_bytes(body, MUCH)).await;
        read.map_or("late", |_| "read")
    };
    let much = async || Bytes::from(vec![0; MUCH]);
    let app = Router::new()
        .route("/", get(async || "a page").post(read))
        .route("/much", get(much));
    let all = async {
        let line =
            timeout(max(Handshake), tls.accept(line)).await??;
        let mut http = http1::Builder::new();
        if limit == Header {
            http.timer(TokioTimer::new()).header_read_timeout(MAX);
        }
        let app = TowerToHyperService::new(app);
        http.serve_connection(TokioIo::new(line), app).await?;
        anyhow::Ok(())
    };
    timeout(max(Connection), all).await?
}

#[tokio::test]
async fn the_page_shows_what_this_program_prints() {
    let table = table().await.unwrap();
    assert_eq!(table, include_str!("limits.md"));
}
