//! Tells the pusher to stop, and does not wait for it.
//!
//! A push service takes notifications over HTTP and pushes them on in batches, with a journal on disk.
//!
//! Run it: `cargo run --bin graceful-restart-token-only`
//!
//! You will see the count where it started after every restart, and every notification pushed twice.

mod outbox;
mod world;

use std::{
    net::SocketAddr, process::ExitCode, sync::Arc, time::Duration,
};

use anyhow::Context;
use axum::{Router, extract, http::StatusCode, routing::post};
use outbox::Outbox;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;
use world::{
    ANY_PORT, Place, Ready, provider::push_all, restart_all_day,
};

fn main() -> anyhow::Result<ExitCode> {
    match Place::from_args() {
        Some(place) => serve(place).map(|()| ExitCode::SUCCESS),
        None => Ok(stage::run(stage::scenario!(), async |stage| {
            let (start, stop) = (Service::start, Service::stop);
            restart_all_day(stage, start, stop, |s| s.ready).await
        })),
    }
}

// ANCHOR: service
const TICK: Duration = Duration::from_millis(20);
const BATCH_MAX: usize = 8;
const BATCH_LIMIT: Duration = Duration::from_secs(1);

/// `serve DIR PROVIDER`: for real, until SIGTERM.
#[tokio::main]
async fn serve(place: Place) -> anyhow::Result<()> {
    let mut sigterm = signal(SignalKind::terminate())?;
    let service = Service::start(&place).await?;
    println!("{}", service.ready);
    sigterm.recv().await;
    service.stop().await
}

/// One instance of the service.
struct Service {
    ready: Ready,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Service {
    async fn start(place: &Place) -> anyhow::Result<Self> {
        let outbox = Arc::new(Outbox::open(&place.dir).await?);
        let listener = TcpListener::bind(ANY_PORT).await?;
        let ready = Ready::new(&listener, outbox.torn)?;
        let stop = CancellationToken::new();
        let provider = place.provider;
        let pusher = Pusher { outbox: outbox.clone(), provider };
        // FIX: the pusher is told to stop; nobody waits for it.
        tokio::spawn(pusher.run(stop.clone()));
        let app = Router::new()
            .route("/notify/{ids}", post(accept))
            .with_state(outbox);
        let told = stop.clone().cancelled_owned();
        let server =
            axum::serve(listener, app).with_graceful_shutdown(told);
        let server = tokio::spawn(server.into_future());
        Ok(Self { ready, stop, server })
    }

    /// What SIGTERM brings: requests are answered to the end.
    /// How long that may take is left to the supervisor.
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.server.await?.context("the server failed")
    }
}

/// "Accepted" is said when the journal is on the disk.
async fn accept(
    extract::State(outbox): extract::State<Arc<Outbox>>,
    extract::Path(ids): extract::Path<String>,
) -> StatusCode {
    let ids = ids.split(',').map(str::parse);
    let Ok(ids) = ids.collect::<Result<Vec<_>, _>>() else {
        return StatusCode::BAD_REQUEST;
    };
    let full = StatusCode::SERVICE_UNAVAILABLE;
    let accepted = outbox.accept(&ids).await;
    accepted.map_or(full, |()| StatusCode::ACCEPTED)
}

struct Pusher {
    outbox: Arc<Outbox>,
    provider: SocketAddr,
}

impl Pusher {
    async fn run(self, stop: CancellationToken) {
        let mut tick = interval(TICK);
        // Cancelled between two batches, and never inside of one.
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            if let Err(error) = self.push_a_batch().await {
                return eprintln!("nothing is pushed: {error:#}");
            }
        }
    }

    async fn push_a_batch(&self) -> anyhow::Result<()> {
        let Some(batch) = self.outbox.begin(BATCH_MAX).await? else {
            return Ok(());
        };
        let mut pushed = 0;
        let pushes = push_all(self.provider, &batch.ids, &mut pushed);
        // What is not pushed by then waits for the next batch.
        let _ = timeout(BATCH_LIMIT, pushes).await;
        self.outbox.commit(batch, pushed).await
    }
}
// ANCHOR_END: service
