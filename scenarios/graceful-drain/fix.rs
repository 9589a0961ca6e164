//! Ends every stream when the server stops.
//!
//! A ticker page streams the price of one share to browsers, as server-sent events. The market is closed.
//!
//! Run it: `cargo run --bin graceful-drain-fix`
//!
//! You will see every stop take a moment, and the counts where they started.

mod world;

use std::{
    convert::Infallible, net::SocketAddr, process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    response::sse::{Event, Sse},
    routing::get,
};
use futures_util::{
    StreamExt,
    stream::{Stream, unfold},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use world::{ANY_PORT, World};

fn main() -> anyhow::Result<ExitCode> {
    if world::is_for_real() {
        return serve().map(|()| ExitCode::SUCCESS);
    }
    Ok(stage::run(stage::scenario!(), async |stage| {
        let world = World::default();
        world.show_gauges(stage);
        let stop = async |_| {
            let server = Server::start().await?;
            let page = world.listen(server.addr).await?;
            world.sigterm(page, server.stop()).await
        };
        stage.load(stop).await;
        Ok(world)
    }))
}

// ANCHOR: service
/// For a request of which only one half ever comes.
const DRAIN_MAX: Duration = Duration::from_millis(1_500);

/// `serve`: for real, until SIGTERM.
#[tokio::main]
async fn serve() -> anyhow::Result<()> {
    let mut sigterm = signal(SignalKind::terminate())?;
    let server = Server::start().await?;
    println!("{}", server.addr);
    sigterm.recv().await;
    server.stop().await
}

struct Server {
    addr: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let prices = watch::Sender::new(100);
        let app = Router::new()
            .route("/events", get(events))
            .with_state(Page { prices, stop: stop.clone() });
        let told = stop.clone().cancelled_owned();
        let server =
            axum::serve(listener, app).with_graceful_shutdown(told);
        let server = tokio::spawn(server.into_future());
        Ok(Self { addr, stop, server })
    }

    /// What SIGTERM brings: responses are sent to their end.
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let ended = timeout(DRAIN_MAX, self.server).await;
        ended.context("late")??.context("the server failed")
    }
}

#[derive(Clone)]
struct Page {
    /// The exchange sends, every page that is open receives.
    /// Each request has a copy: the last one closes.
    prices: watch::Sender<u64>,
    stop: CancellationToken,
}

async fn events(
    State(page): State<Page>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut prices = page.prices.subscribe();
    // The price of now is the first event.
    prices.mark_changed();
    let events = unfold(prices, async |mut prices| {
        prices.changed().await.ok()?;
        let price = *prices.borrow_and_update();
        Some((Ok(Event::default().data(price.to_string())), prices))
    });
    // FIX: the stop ends the stream, and browsers reconnect.
    Sse::new(events.take_until(page.stop.cancelled_owned()))
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_stopped_server_leaves_no_stream_behind() {
        let world = World::default();
        let stops = leakcheck::scope();
        for _ in 0..2 {
            let server = Server::start().await.unwrap();
            let page = world.listen(server.addr).await.unwrap();
            world.sigterm(page, server.stop()).await.unwrap();
        }
        // The reader keeps its page open, and the server is over.
        stops.assert().await;
    }
    // ANCHOR_END: guard
}
