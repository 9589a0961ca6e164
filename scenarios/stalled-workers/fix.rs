//! Gives the call to a thread of the blocking pool, with a limit.
//!
//! A pharmacy tells over HTTP what it has. For some drugs it asks its wholesaler, with the wholesaler's own client.
//!
//! Run it: `cargo run --bin stalled-workers-fix`
//!
//! You will see every customer answered, and every service stopped.

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
    task::spawn_blocking,
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
    // FIX: a thread of the pool waits, and no worker.
    let packs = spawn_blocking(move || ask(wholesaler)).await;
    let packs = packs.map_err(|_| StatusCode::BAD_GATEWAY)?;
    packs.map_err(|_| StatusCode::BAD_GATEWAY)
}

/// The wholesaler's client. It is built on `std`, so it blocks.
fn ask(wholesaler: SocketAddr) -> io::Result<String> {
    let mut line = TcpStream::connect_timeout(&wholesaler, ASK_MAX)?;
    line.set_read_timeout(Some(ASK_MAX))?;
    line.write_all(b"aspirin\n")?;
    let mut packs = String::new();
    BufReader::new(line).read_line(&mut packs)?;
    Ok(packs)
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use std::thread;

    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn who_asks_the_wholesaler_lets_others_run() {
        let silent = TcpListener::bind(ANY_PORT).await.unwrap();
        let wholesaler = State(silent.local_addr().unwrap());
        let (turn, mut turns) = mpsc::channel(4);
        // One worker: what blocks it first is seen at once.
        thread::spawn(move || one_worker(stock(wholesaler), turn));
        let mut lost = 4;
        let all = async {
            while turns.recv().await.is_some() {
                lost -= 1;
            }
        };
        let _ = timeout(Duration::from_secs(5), all).await;
        assert!(lost == 0, "lost: {lost} of 4 turns of other tasks");
    }
    // ANCHOR_END: guard

    #[tokio::main(flavor = "current_thread")]
    async fn one_worker(
        question: impl Future<Output: Send> + Send + 'static,
        turn: mpsc::Sender<()>,
    ) {
        let question = tokio::spawn(question);
        for _ in 0..4 {
            let turn = turn.clone();
            tokio::spawn(async move { turn.send(()).await });
        }
        drop(turn);
        let _ = question.await;
    }
}
