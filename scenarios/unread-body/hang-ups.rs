//! What becomes of a handler when its client hangs up, by what the client had sent, as a table: real TCP, and a real curl.
//!
//! Run it: `cargo run --example unread-body-hang-ups`

use std::{
    future::pending, net::SocketAddr, process::Stdio, time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodRouter, any},
};
use futures_util::future::try_join_all;
use socket2::SockRef;
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::watch,
    time::timeout,
};

/// What has not ended by then waits for ever.
const LONG: Duration = Duration::from_secs(5);
/// No request takes longer to arrive.
const LIMIT: Duration = Duration::from_secs(20);
/// More than hyper reads ahead.
const LARGE: usize = 1024 * 1024;

#[derive(Clone, Copy)]
enum Go {
    Closes,
    Resets,
    Curl,
    ClosesBehindARelay,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    print!("{}", table().await?);
    Ok(())
}

async fn table() -> anyhow::Result<String> {
    let get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
    let post = |length: usize, body: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let half = post(10, "12345");
    let forms = [
        ("a `GET`", get.clone(), Go::Closes),
        ("a small body, whole", post(5, "12345"), Go::Closes),
        (
            "a large body, whole",
            post(LARGE, &"x".repeat(LARGE)),
            Go::Closes,
        ),
        ("half of a body", half.clone(), Go::Closes),
        ("half of a body, then a reset", half.clone(), Go::Resets),
        (
            "half of a body, by a `curl` that is killed",
            String::new(),
            Go::Curl,
        ),
        (
            "half of a body, through a relay",
            half,
            Go::ClosesBehindARelay,
        ),
        ("two `GET`s at once", get.repeat(2), Go::Closes),
        (
            "two small bodies at once",
            post(5, "12345").repeat(2),
            Go::Closes,
        ),
    ];
    let rows = forms.iter().map(async |(name, sent, go)| {
        let keeps = any(async |_: Body| pending::<()>().await);
        let none = any(async || pending::<()>().await);
        let takes = any(async |_: Bytes| pending::<()>().await);
        let cells = [keeps, none, takes]
            .map(|handler| cell(handler, sent, *go));
        let cells = try_join_all(cells).await?.join(" | ");
        anyhow::Ok(format!("| {name} | {cells} |\n"))
    });
    let head = "| the client had sent | handler that keeps its `Body` | handler without a body | handler that takes `Bytes` |\n|---|---|---|---|\n";
    Ok(head.to_owned() + &try_join_all(rows).await?.concat())
}

// ANCHOR: cell
/// What becomes of the request after its client has gone.
async fn cell(
    handler: MethodRouter<watch::Sender<Seen>>,
    sent: &str,
    go: Go,
) -> anyhow::Result<&'static str> {
    let seen = watch::Sender::<Seen>::default();
    let counted = from_fn_with_state(seen.clone(), count);
    let app = Router::new()
        .route("/", handler)
        .layer(counted)
        .with_state(seen.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut to = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app).into_future());
    if matches!(go, Go::ClosesBehindARelay) {
        to = relay(to).await?;
    }
    let mut seen = seen.subscribe();
    let arrives =
        timeout(LIMIT, seen.wait_for(|seen| seen.arrived > 0));
    if matches!(go, Go::Curl) {
        let mut curl = Command::new("curl")
            .args(["-s", "-H", "Expect:", "-T", "-"])
            .arg(format!("http://{to}/"))
            .stdin(Stdio::piped())
            .spawn()?;
        let mut body = curl.stdin.take().context("a pipe")?;
        body.write_all(b"12345").await?;
        arrives.await??;
        curl.kill().await?;
    } else {
        let mut client = TcpStream::connect(to).await?;
        client.write_all(sent.as_bytes()).await?;
        arrives.await??;
        if matches!(go, Go::Resets) {
            let now = Some(Duration::ZERO);
            SockRef::from(&client).set_linger(now)?;
        }
    }
    let ends =
        timeout(LONG, seen.wait_for(|seen| seen.under_way == 0));
    Ok(if ends.await.is_ok() { "dropped" } else { "**still alive**" })
}
// ANCHOR_END: cell

async fn relay(to: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await?;
        let mut server = TcpStream::connect(to).await?;
        copy_bidirectional(&mut client, &mut server).await
    });
    Ok(address)
}

#[derive(Default)]
struct Seen {
    arrived: usize,
    under_way: usize,
}

struct UnderWay(watch::Sender<Seen>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.under_way -= 1);
    }
}

async fn count(
    State(seen): State<watch::Sender<Seen>>,
    request: Request,
    next: Next,
) -> Response {
    seen.send_modify(|seen| {
        seen.arrived += 1;
        seen.under_way += 1;
    });
    let _under_way = UnderWay(seen);
    next.run(request).await
}

#[tokio::test]
async fn the_page_shows_what_this_program_prints() {
    let table = table().await.unwrap();
    assert_eq!(table, include_str!("hang-ups.md"));
}
