//! Runs of pairs for the page that asks, as lines of JSON: the events of [`pair`], and drawings of them.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{FromRequest, Path as UrlPath, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use evidence::{
    catalogue::{Catalogue, Scenario},
    chart::{Drawing, Live},
    recording,
};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use super::connections::no_descriptor;
use crate::{
    pair::{self, Event},
    same_site::{Form, Refusal},
};

/// Runs at the same time: each is two programs, on what may be two cores. A run of more than two sides takes the place of
/// [`RUNS_MAX`] runs.
const RUNS_MAX: u32 = 2;
const SIDES_OF_ONE_RUN: usize = 2;
/// Samples and drawings that wait for a slow page; beyond that they are left out.
const EVENTS_MAX: usize = 256;
/// The request names sides in a few bytes.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Lab {
    root: Arc<Path>,
    runs: Arc<Semaphore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sides: Vec<String>,
}

/// One line to the page.
#[derive(Serialize)]
#[serde(untagged)]
enum Told {
    Event(Event),
    Drawing(Drawn),
}

/// A gauge of all sides, as it is now.
#[derive(Serialize)]
#[serde(tag = "event", rename = "drawing")]
struct Drawn {
    #[serde(flatten)]
    drawing: Drawing,
}

pub(super) fn router(root: Arc<Path>) -> Router {
    let lab = Lab { root, runs: Arc::new(Semaphore::new(RUNS_MAX as usize)) };
    Router::new().route("/api/lab", get(scenarios)).route("/api/run/{name}", post(run)).with_state(lab)
}

async fn scenarios(State(lab): State<Lab>) -> Response {
    match Catalogue::read(&lab.root) {
        Ok(all) => {
            let sides = |one: Scenario| (one.name.clone(), json!(one.side_names()));
            let scenarios: serde_json::Map<_, _> = all.scenarios.into_iter().map(sides).collect();
            Json(json!({ "scenarios": scenarios })).into_response()
        }
        Err(error) => refuse(status_of(&error, StatusCode::INTERNAL_SERVER_ERROR), format!("{error:#}")),
    }
}

async fn run(State(lab): State<Lab>, UrlPath(name): UrlPath<String>, request: Request) -> Response {
    let sides = match tokio::time::timeout(REQUEST_LIMIT, Json::<Asked>::from_request(request, &())).await {
        Ok(Ok(Json(asked))) => asked.sides,
        Ok(Err(rejection)) => return refuse(rejection.status(), rejection.body_text()),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the request did not end".to_owned()),
    };
    let scenario = match Catalogue::read(&lab.root).and_then(|all| all.find(&name).cloned()) {
        Ok(scenario) => scenario,
        Err(error) => return refuse(status_of(&error, StatusCode::NOT_FOUND), format!("{error:#}")),
    };
    if let Err(error) = scenario.check_sides(&sides) {
        let known = sides.iter().all(|side| scenario.side(side).is_some());
        let status = if known { StatusCode::BAD_REQUEST } else { StatusCode::NOT_FOUND };
        return refuse(status, format!("{error:#}"));
    }
    match lab.runs.clone().try_acquire_many_owned(places(sides.len())) {
        Ok(permit) => {
            let lines = lines_of(|page| async move {
                watched(&lab.root, &scenario, &sides, page).await;
                drop(permit);
            });
            ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
        }
        Err(_) => refuse(StatusCode::TOO_MANY_REQUESTS, no_place(sides.len())),
    }
}

/// Two runs of up to two sides, or one of more.
fn places(sides: usize) -> u32 {
    if sides > SIDES_OF_ONE_RUN { RUNS_MAX } else { 1 }
}

fn no_place(sides: usize) -> String {
    let why = if sides > SIDES_OF_ONE_RUN {
        format!("a run of {sides} sides needs the lab for itself")
    } else {
        "the lab is busy, with two runs or with one of more than two sides".to_owned()
    };
    format!("{why}: wait for the others to end, press Stop in their pages, or close these")
}

/// What could not be looked at is not "not found".
fn status_of(error: &anyhow::Error, otherwise: StatusCode) -> StatusCode {
    let starved = error.chain().filter_map(|cause| cause.downcast_ref()).any(no_descriptor);
    if starved { StatusCode::SERVICE_UNAVAILABLE } else { otherwise }
}

fn refuse(status: StatusCode, message: String) -> Response {
    Refusal::new(status, message).response(Form::Json)
}

/// Runs, tells what happens, and draws it.
async fn watched(root: &Path, scenario: &Scenario, sides: &[String], page: Teller) {
    let recorded = recording::load(root, &scenario.name).ok();
    let live = Mutex::new(Live::new(scenario.statement.clone(), sides.to_vec(), recorded));
    let on = |event: Event| {
        let drawings = match (&event, live.lock()) {
            (Event::Sample { side, sample, console_tasks }, Ok(mut live)) => live.push(side, sample, *console_tasks),
            _ => Vec::new(),
        };
        page.tell(event);
        page.draw(drawings);
    };
    let runs = pair::run_to_verdict(root, scenario, sides, &[], &on).await;
    let drawings = runs.ok().and_then(|runs| Some(live.lock().ok()?.end(&runs)));
    page.end(drawings.unwrap_or_default());
}

/// The lines of one run. The stream owns the run: when the page closes, the stream is dropped, the run with it, and with that its
/// programs. The run does not wait for the page: what a slow page has no room for is left out, but never the end. A page
/// that takes nothing at all loses its connection, and so its run.
fn lines_of<R: Future<Output = ()> + Send + 'static>(
    run: impl FnOnce(Teller) -> R,
) -> impl Stream<Item = serde_json::Result<String>> {
    // The run sends, the response body receives; the run's end closes both.
    let (tx, rx) = mpsc::channel(EVENTS_MAX);
    let (end, last) = oneshot::channel();
    let mut owner = JoinSet::new();
    owner.spawn(run(Teller { tx, verdict: Mutex::default(), end }));
    let page = Page { rx, last: Some(last), rest: VecDeque::new() };
    stream::unfold((page, owner), |(mut page, owner)| async move {
        let told = page.next().await?;
        Some((serde_json::to_string(&told).map(|line| line + "\n"), (page, owner)))
    })
}

/// The run's end of the line to its page.
struct Teller {
    tx: mpsc::Sender<Told>,
    /// Told last.
    verdict: Mutex<Option<Event>>,
    end: oneshot::Sender<VecDeque<Told>>,
}

impl Teller {
    fn tell(&self, event: Event) {
        if !matches!(event, Event::Verdict { .. } | Event::Error { .. }) {
            let _ = self.tx.try_send(Told::Event(event));
        } else if let Ok(mut verdict) = self.verdict.lock() {
            *verdict = Some(event);
        }
    }

    fn draw(&self, drawings: Vec<Drawing>) {
        for drawing in drawings {
            let _ = self.tx.try_send(Told::Drawing(Drawn { drawing }));
        }
    }

    /// The last drawings and the verdict wait for the page outside of the queue.
    fn end(self, drawings: Vec<Drawing>) {
        let drawings = drawings.into_iter().map(|drawing| Told::Drawing(Drawn { drawing }));
        let verdict = self.verdict.into_inner().ok().flatten().map(Told::Event);
        // A page that closed wants no verdict.
        let _ = self.end.send(drawings.chain(verdict).collect());
    }
}

/// What a page is told, in order.
struct Page {
    rx: mpsc::Receiver<Told>,
    last: Option<oneshot::Receiver<VecDeque<Told>>>,
    rest: VecDeque<Told>,
}

impl Page {
    async fn next(&mut self) -> Option<Told> {
        if let Some(told) = self.rx.recv().await {
            return Some(told);
        }
        if let Some(last) = self.last.take() {
            self.rest = last.await.unwrap_or_default();
        }
        self.rest.pop_front()
    }
}

#[cfg(test)]
mod tests;
