//! Runs of pairs for the page that asks.

use std::{path::Path, sync::Mutex, time::Duration};

use axum::{
    Json, Router,
    extract::{FromRequest, Path as UrlPath, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use evidence::{
    catalogue::{Catalogue, Scenario},
    chart::Live,
    exercise::Exercise,
    recording,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    lines::{self, Teller},
    state::{Lab, refuse, status_of},
};
use crate::{
    pair::{self, Event},
    same_site::Form,
};

/// The request names sides in a few bytes.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sides: Vec<String>,
}

pub(super) fn router(lab: Lab) -> Router {
    Router::new().route("/api/lab", get(known)).route("/api/run/{name}", post(run)).with_state(lab)
}

/// What pages may ask for.
async fn known(State(lab): State<Lab>) -> Response {
    match Catalogue::read(&lab.root) {
        Ok(all) => {
            let exercises: Vec<_> = all.exercises.iter().map(Exercise::name).collect();
            let sides = |one: &Scenario| (one.name.clone(), json!(one.side_names()));
            let scenarios: serde_json::Map<_, _> = all.scenarios.iter().map(sides).collect();
            Json(json!({ "scenarios": scenarios, "exercises": exercises })).into_response()
        }
        Err(error) => refuse(status_of(&error, StatusCode::INTERNAL_SERVER_ERROR), format!("{error:#}")),
    }
}

async fn run(State(lab): State<Lab>, UrlPath(name): UrlPath<String>, request: Request) -> Response {
    let sides = match tokio::time::timeout(REQUEST_LIMIT, Json::<Asked>::from_request(request, &())).await {
        Ok(Ok(Json(asked))) => asked.sides,
        Ok(Err(rejection)) => return refuse(rejection.status(), rejection.body_text()),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the request did not end"),
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
    match lab.place(sides.len()) {
        Ok(place) => lines::answer(|page| async move {
            watched(&lab.root, &scenario, &sides, page).await;
            drop(place);
        }),
        Err(refused) => refused.response(Form::Json),
    }
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
