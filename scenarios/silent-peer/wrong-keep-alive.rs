//! Switches TCP keep-alive on for every connection.
//!
//! A tide table answers over HTTPS: real TLS, real HTTP/1.
//!
//! Run it: `cargo run --bin silent-peer-wrong-keep-alive`
//!
//! You will see as many tasks as in the leak: the kernels of the silent clients answer.

mod world;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
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
/// A peer whose machine is gone is noticed after two of these.
const PROBE: Duration = Duration::from_secs(1);

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
    let probes = TcpKeepalive::new()
        .with_time(PROBE)
        .with_interval(PROBE)
        .with_retries(1);
    // LEAK: a silent client's kernel answers the probes.
    SockRef::from(&client).set_tcp_keepalive(&probes)?;
    let client = tls.accept(client).await?;
    let app = TowerToHyperService::new(app);
    http1::Builder::new()
        .serve_connection(TokioIo::new(client), app)
        .await?;
    Ok(())
}
// ANCHOR_END: service
