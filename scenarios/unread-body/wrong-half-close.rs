//! Tells hyper that a client who has closed its half has gone.
//!
//! A photo lab takes photos over HTTP, and prints them while the customer waits. The printer for large ones has no paper today.
//!
//! Run it: `cargo run --bin unread-body-wrong-half-close`
//!
//! You will see as much left as in the leak: hyper does not look for the end while a body is unread.

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, task::JoinSet};
use world::{ANY_PORT, Printers, World};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let world = World::default();
        world.show(stage);
        let lab = Lab::open(&world).await?;
        let hang_up = async |_| world.visit(lab.addr).await;
        stage.load(hang_up).await;
        Ok((world, lab))
    })
}

// ANCHOR: service
/// A photo has at most so many bytes.
const PHOTO_MAX: usize = 1024 * 1024;

struct Lab {
    addr: SocketAddr,
    /// Dropped with the lab: then nobody is accepted any more.
    _server: JoinSet<std::io::Result<()>>,
}

impl Lab {
    async fn open(world: &World) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let addr = listener.local_addr()?;
        let app = Router::new()
            .route("/prints/{size}", post(print))
            .with_state(Arc::new(Printers::default()));
        let app = world.count(app);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, app));
        Ok(Self { addr, _server: server })
    }
}

async fn serve(
    listener: TcpListener,
    app: Router,
) -> std::io::Result<()> {
    let mut clients = JoinSet::new();
    loop {
        let client = TokioIo::new(listener.accept().await?.0);
        let app = TowerToHyperService::new(app.clone());
        // LEAK: a hang-up counts, where somebody looks for it.
        let http = http1::Builder::new()
            .half_close(false)
            .serve_connection(client, app);
        clients.spawn(http);
        // Those who have left are taken out.
        while clients.try_join_next().is_some() {}
    }
}

async fn print(
    State(printers): State<Arc<Printers>>,
    Path(size): Path<String>,
    photo: Body,
) -> Result<&'static str, StatusCode> {
    let _printer = printers.free(&size).await;
    let photo = read(photo).await?;
    // A real lab would send the photo to the printer here.
    drop(photo);
    Ok("printed")
}

async fn read(photo: Body) -> Result<Bytes, StatusCode> {
    let photo = to_bytes(photo, PHOTO_MAX).await;
    photo.map_err(|_| StatusCode::BAD_REQUEST)
}
// ANCHOR_END: service
