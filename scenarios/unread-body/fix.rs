//! Reads the photo before it waits for a printer.
//!
//! A photo lab takes photos over HTTP, and prints them while the customer waits. The printer for large ones has no paper today.
//!
//! Run it: `cargo run --bin unread-body-fix`
//!
//! You will see the counts come back: a hang-up breaks the upload off, and with it the handler.

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
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
    // FIX: after this, hyper watches for a hang-up while we wait.
    let photo = read(photo).await?;
    let _printer = printers.free(&size).await;
    // A real lab would send the photo to the printer here.
    drop(photo);
    Ok("printed")
}

async fn read(photo: Body) -> Result<Bytes, StatusCode> {
    let photo = to_bytes(photo, PHOTO_MAX).await;
    photo.map_err(|_| StatusCode::BAD_REQUEST)
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_hang_up_in_an_upload_leaves_no_handler_behind() {
        let world = World::default();
        let lab = Lab::open(&world).await.unwrap();
        let hang_ups = leakcheck::scope();
        for _ in 0..5 {
            world.visit(lab.addr).await.unwrap();
        }
        // The lab is open, and its printer still has no paper.
        hang_ups.assert().await;
    }
    // ANCHOR_END: guard
}
