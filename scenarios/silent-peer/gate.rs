//! Accepts no more clients than it has permits, and waits for each without a limit.
//!
//! A tide table answers over HTTPS: real TLS, real HTTP/1.
//!
//! Run it: `cargo run --bin silent-peer-gate`
//!
//! You will see sixteen tasks and no more, and then no client that is served.

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
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
/// Clients at a time. The others wait in the kernel's queue.
const GATE: usize = 16;

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
    let gate = Arc::new(Semaphore::new(GATE));
    let mut clients = JoinSet::new();
    loop {
        let permit = gate.clone().acquire_owned().await?;
        let (client, _) = listener.accept().await?;
        let answer = answer(client, tls.clone(), app.clone());
        clients.spawn(async move {
            // FIX: a client that stays keeps its permit.
            let _permit = permit;
            answer.await
        });
        // Those who have left are taken out.
        while clients.try_join_next().is_some() {}
    }
}

async fn answer(
    client: TcpStream,
    tls: TlsAcceptor,
    app: Router,
) -> anyhow::Result<()> {
    let client = tls.accept(client).await?;
    let app = TowerToHyperService::new(app);
    http1::Builder::new()
        .serve_connection(TokioIo::new(client), app)
        .await?;
    Ok(())
}
// ANCHOR_END: service
