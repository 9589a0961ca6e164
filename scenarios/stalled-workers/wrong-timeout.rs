//! Puts a timeout around the call that blocks.
//!
//! A pharmacy tells over HTTP what it has. For some drugs it asks its wholesaler, with the wholesaler's own client.
//!
//! Run it: `cargo run --bin stalled-workers-wrong-timeout`
//!
//! You will see as many without an answer as in the leak: a timeout is looked at between two polls.

mod world;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{
    net::TcpListener,
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
    // LEAK: the timer is looked at after a poll that never ends.
    let packs = timeout(ASK_MAX, async { ask(wholesaler) }).await;
    let packs = packs.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
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
