//! Sends a heartbeat four times a second instead of twice a minute, to notice sooner who has left.
//!
//! A parcel service pushes every scan of a parcel to the browsers that have the parcel's page open. Few parcels move at night.
//!
//! Run it: `cargo run --bin sse-push-wrong`
//!
//! You will see what you saw without it: one task more after every visit.

mod visitors;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Error, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::{Stream, StreamExt, stream};
use tokio::{sync::mpsc, task::JoinSet};
use visitors::{Seat, Seats};
use world::{Scan, Scans};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let desk = Arc::new(Desk::default());
        let (listener, visitors) =
            visitors::open(&desk.seats).await?;
        let mut server = JoinSet::new();
        let app = app(desk.clone());
        server.spawn(async { axum::serve(listener, app).await });
        visitors::show(stage, &desk.scans, &desk.seats);
        stage.load(async |n| visitors.visit(n).await).await;
        Ok((server, desk))
    })
}

// ANCHOR: service
/// Between two heartbeats: often, so that the dead are found.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// A browser that lost its stream comes back after this long.
const RETRY: Duration = Duration::from_secs(2);
/// Scans that wait for a visitor with a slow network.
const QUEUE: usize = 16;
/// The answer when every seat is taken.
const BUSY: (StatusCode, [(&str, &str); 1]) =
    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "5")]);
/// A proxy must neither keep what is live nor hold it back.
const LIVE: [(&str, &str); 2] =
    [("cache-control", "no-store"), ("x-accel-buffering", "no")];

type Pushed = Result<Event, Error>;

#[derive(Default)]
struct Desk {
    scans: Arc<Scans>,
    seats: Seats,
}

/// What an open stream owns.
struct Visit {
    /// The producer sends, the stream receives; its end closes.
    scans: mpsc::Receiver<Scan>,
    _seat: Seat,
}

fn app(desk: Arc<Desk>) -> Router {
    let couriers = world::couriers(desk.scans.clone());
    Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/parcels/{parcel}/events", get(follow))
        .route("/parcels/{parcel}/scans", couriers)
        .with_state(desk)
}

/// Every scan of a parcel, from the first that was not yet seen.
async fn follow(
    State(desk): State<Arc<Desk>>,
    Path(parcel): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(seat) = desk.seats.take() else {
        return BUSY.into_response();
    };
    let mut source = desk.scans.follow(parcel, last_seen(&headers));
    let (tx, scans) = mpsc::channel(QUEUE);
    // LEAK: only a failed send tells that the visitor has left.
    tokio::spawn(async move {
        while let Some(scan) = source.next().await {
            if tx.send(scan).await.is_err() {
                return;
            }
        }
    });
    push(stream::unfold(Visit { scans, _seat: seat }, next))
}

async fn next(mut visit: Visit) -> Option<(Pushed, Visit)> {
    let scan = visit.scans.recv().await?;
    let event = Event::default().event("scan").json_data(&scan);
    Some((event.map(|event| event.id(scan.id.to_string())), visit))
}

fn push(
    events: impl Stream<Item = Pushed> + Send + 'static,
) -> Response {
    let hello = stream::iter([Ok(Event::default().retry(RETRY))]);
    let beat = KeepAlive::new().interval(HEARTBEAT).text("beat");
    let events = Sse::new(hello.chain(events)).keep_alive(beat);
    (LIVE, events).into_response()
}
// ANCHOR_END: service

/// What a browser that comes back says it saw. Nonsense is nothing.
fn last_seen(headers: &HeaderMap) -> u64 {
    let id = headers.get("last-event-id");
    let id = id.and_then(|id| id.to_str().ok()?.parse().ok());
    id.unwrap_or(0)
}
