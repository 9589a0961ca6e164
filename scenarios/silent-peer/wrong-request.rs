//! Limits how long a request may take.
//!
//! A tide table answers over HTTPS: real TLS, real HTTP/1.
//!
//! Run it: `cargo run --bin silent-peer-wrong-request`
//!
//! You will see as many tasks as in the leak: none of the silent clients is in a request.

mod world;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
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
/// For a request, from its header to the header of the answer.
const REQUEST_MAX: Duration = Duration::from_secs(2);

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
        // LEAK: who sends no request meets no limit on requests.
        let app =
            Router::new().route("/", page).layer(from_fn(limit));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, tls, app));
        Ok(Self { addr, _server: server })
    }
}

async fn limit(request: Request, next: Next) -> Response {
    let answer = timeout(REQUEST_MAX, next.run(request)).await;
    answer.unwrap_or_else(|_| late().into_response())
}

fn late() -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
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
    let client = tls.accept(client).await?;
    let app = TowerToHyperService::new(app);
    http1::Builder::new()
        .serve_connection(TokioIo::new(client), app)
        .await?;
    Ok(())
}
// ANCHOR_END: service
