//! Limits each step at which a client may be silent.
//!
//! A tide table answers over HTTPS: real TLS, real HTTP/1.
//!
//! Run it: `cargo run --bin silent-peer-fix`
//!
//! You will see the counts rise, and come back when the limits are over.

mod world;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use world::{ANY_PORT, World};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let world = World::new()?;
        world.show(stage);
        let tides = Tides::start(world.tls()).await?;
        let round = async |_| world.round(tides.addr).await;
        stage.load(round).await;
        Ok((world, tides))
    })
}

// ANCHOR: service
/// For the handshake. Honest clients need some round trips.
const HELLO_MAX: Duration = Duration::from_secs(2);
/// For the header of a request, and until it begins.
const HEADER_MAX: Duration = Duration::from_secs(2);

struct Tides {
    addr: SocketAddr,
    /// Dropped with the service, and so is every connection.
    _server: JoinSet<anyhow::Result<()>>,
}

impl Tides {
    async fn start(tls: TlsAcceptor) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let addr = listener.local_addr()?;
        let page = get(async || "high water at 14:05");
        let app = Router::new().route("/", page);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, tls, app));
        Ok(Self { addr, _server: server })
    }
}

async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    app: Router,
) -> anyhow::Result<()> {
    let mut clients = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await?;
        clients.spawn(answer(client, tls.clone(), app.clone()));
        // Those who have left are taken out.
        while clients.try_join_next().is_some() {}
    }
}

async fn answer(
    client: TcpStream,
    tls: TlsAcceptor,
    app: Router,
) -> anyhow::Result<()> {
    // FIX: a limit on every wait for the client.
    let hello = timeout(HELLO_MAX, tls.accept(client)).await;
    let client = hello.context("no handshake in time")??;
    let app = TowerToHyperService::new(app);
    http1::Builder::new()
        .timer(TokioTimer::new())
        // From the handshake, or from the answer, to the end of
        // the next header: so it is the idle limit, too.
        .header_read_timeout(HEADER_MAX)
        .serve_connection(TokioIo::new(client), app)
        .await?;
    Ok(())
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_silent_client_leaves_no_task_behind() {
        let world = World::new().unwrap();
        let tides = Tides::start(world.tls()).await.unwrap();
        let rounds = leakcheck::scope();
        for _ in 0..5 {
            world.round(tides.addr).await.unwrap();
        }
        // The service lives on, and its clients stay as they are.
        rounds.assert().await;
    }
    // ANCHOR_END: guard
}
