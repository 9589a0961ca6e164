//! Limits how long a header may take, and not the handshake before it.
//!
//! A tide table answers over HTTPS: real TLS, real HTTP/1.
//!
//! Run it: `cargo run --bin silent-peer-wrong-header`
//!
//! You will see two tasks more after every round: those who are silent before and in the handshake.

mod world;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
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
    // LEAK: the limit below begins after the handshake.
    let client = tls.accept(client).await?;
    let app = TowerToHyperService::new(app);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_MAX)
        .serve_connection(TokioIo::new(client), app)
        .await?;
    Ok(())
}
// ANCHOR_END: service
