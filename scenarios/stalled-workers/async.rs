//! Asks the wholesaler with a client that awaits, with a limit.
//!
//! A pharmacy tells over HTTP what it has. For some drugs it asks its wholesaler, with the wholesaler's own client.
//!
//! Run it: `cargo run --bin stalled-workers-async`
//!
//! You will see every customer answered, and every service stopped.

mod world;

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::timeout,
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
/// For each wait on the wholesaler.
const ASK_MAX: Duration = Duration::from_secs(1);

/// The service, until SIGTERM. By default it would have as many
/// workers as the machine has cores.
#[tokio::main(worker_threads = 2)]
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
    // FIX: nothing here blocks, so a worker goes on meanwhile.
    let packs = timeout(ASK_MAX, ask(wholesaler)).await;
    let packs = packs.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
    packs.map_err(|_| StatusCode::BAD_GATEWAY)
}

/// The same client, written anew with Tokio's types.
async fn ask(wholesaler: SocketAddr) -> io::Result<String> {
    let mut line = TcpStream::connect(wholesaler).await?;
    line.write_all(b"aspirin\n").await?;
    let mut packs = String::new();
    BufReader::new(line).read_line(&mut packs).await?;
    Ok(packs)
}
// ANCHOR_END: service
