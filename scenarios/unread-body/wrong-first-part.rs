//! Reads the first part of the photo, and then waits for a printer.
//!
//! A photo lab takes photos over HTTP, and prints them while the customer waits. The printer for large ones has no paper today.
//!
//! Run it: `cargo run --bin unread-body-wrong-first-part`
//!
//! You will see as much left as in the leak: the rest of the photo is unread.

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use futures_util::StreamExt;
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
        server.spawn(async { axum::serve(listener, app).await });
        Ok(Self { addr, _server: server })
    }
}

async fn print(
    State(printers): State<Arc<Printers>>,
    Path(size): Path<String>,
    photo: Body,
) -> Result<&'static str, StatusCode> {
    let mut photo = photo.into_data_stream();
    let first = photo.next().await;
    if !is_photo(first.and_then(Result::ok)) {
        return Err(StatusCode::BAD_REQUEST);
    }
    // LEAK: the rest is unread, so nobody sees the end of it.
    let _printer = printers.free(&size).await;
    let photo = read(Body::from_stream(photo)).await?;
    // A real lab would send the photo to the printer here.
    drop(photo);
    Ok("printed")
}

/// A real lab would look for the first bytes of a JPEG.
fn is_photo(first: Option<Bytes>) -> bool {
    first.is_some_and(|first| !first.is_empty())
}

async fn read(photo: Body) -> Result<Bytes, StatusCode> {
    let photo = to_bytes(photo, PHOTO_MAX).await;
    photo.map_err(|_| StatusCode::BAD_REQUEST)
}
// ANCHOR_END: service
