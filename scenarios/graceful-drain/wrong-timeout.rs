//! Waits for the responses for a while, then goes on without them.
//!
//! A ticker page streams the price of one share to browsers, as server-sent events. The market is closed.
//!
//! Run it: `cargo run --bin graceful-drain-wrong-timeout`
//!
//! You will see no stop that is late, and two tasks and two sockets more after each.

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
use futures_util::stream::{Stream, unfold};
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
const DRAIN_MAX: Duration = Duration::from_millis(500);

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
            .with_state(Page { prices });
        let told = stop.clone().cancelled_owned();
        let server =
            axum::serve(listener, app).with_graceful_shutdown(told);
        let server = tokio::spawn(server.into_future());
        Ok(Self { addr, stop, server })
    }

    /// What SIGTERM brings: responses are sent to their end.
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        // LEAK: the wait ends; the responses it waited for do not.
        match timeout(DRAIN_MAX, self.server).await {
            Ok(ended) => ended?.context("the server failed"),
            Err(_) => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Page {
    /// The exchange sends, every page that is open receives.
    /// Each request has a copy: the last one closes.
    prices: watch::Sender<u64>,
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
    Sse::new(events)
}
// ANCHOR_END: service
