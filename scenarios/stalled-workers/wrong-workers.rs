//! Gives the runtime four times as many workers.
//!
//! A pharmacy tells over HTTP what it has. For some drugs it asks its wholesaler, with the wholesaler's own client.
//!
//! Run it: `cargo run --bin stalled-workers-wrong-workers`
//!
//! You will see as many without an answer as in the leak.

mod world;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use world::{ANY_PORT, World};

fn main() -> ExitCode {
    if let Some(wholesaler) = world::serves() {
        return serve(wholesaler)
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    stage::run(stage::scenario!(), async |stage| {
        let world = World::open().await?;
        world.show(stage);
        stage.load(async |_| world.day().await).await;
        Ok(world)
    })
}

// ANCHOR: service
/// The service, until SIGTERM. By default it would have as many
/// workers as the machine has cores.
#[tokio::main(worker_threads = 8)]
async fn serve(wholesaler: SocketAddr) -> io::Result<()> {
    let mut sigterm = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(ANY_PORT).await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new()
        .route("/health", get(async || "open"))
        .route("/stock", get(stock))
        .with_state(wholesaler);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            sigterm.recv().await;
        })
        .await
}

async fn stock(
    State(wholesaler): State<SocketAddr>,
) -> Result<String, StatusCode> {
    // LEAK: more can ask than there are workers.
    let packs = ask(wholesaler);
    packs.map_err(|_| StatusCode::BAD_GATEWAY)
}

/// The wholesaler's client. It is built on `std`, so it blocks.
fn ask(wholesaler: SocketAddr) -> io::Result<String> {
    let mut line = TcpStream::connect(wholesaler)?;
    line.write_all(b"aspirin\n")?;
    let mut packs = String::new();
    BufReader::new(line).read_line(&mut packs)?;
    Ok(packs)
}
// ANCHOR_END: service
