//! The pages of the book, and which build they are of.

use std::{io, path::Path};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::sync::watch;
use tower_http::services::ServeDir;

use super::{connections::no_descriptor, watch::Site};
use crate::same_site::{Form, Refusal};

/// No page has a longer address.
const PATH_MAX: usize = 2048;

type Sites = watch::Receiver<Site>;

pub(super) fn router(site: Sites) -> Router {
    Router::new().route("/api/build", get(build)).fallback(page).with_state(site)
}

/// Pages ask this once a second, each with a request of its own: a stream for each page would take one of the six connections
/// that a browser opens to a server, and the seventh page would never load.
async fn build(State(site): State<Sites>) -> Response {
    let site = site.borrow().clone();
    uncached(Json(json!({ "build": site.build, "problem": site.problem })).into_response())
}

async fn page(State(site): State<Sites>, request: Request) -> Response {
    let form = Form::of(&request);
    let refused = |status, message: &str| Refusal::new(status, message).response(form);
    if request.uri().path().len() > PATH_MAX {
        return refused(StatusCode::URI_TOO_LONG, "this address is too long for any page");
    }
    let folder = site.borrow().folder.clone();
    let response = match ServeDir::new(&folder).try_call(request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => missing(&folder, form).await,
        Ok(response) => response.map(Body::new),
        Err(error) if no_descriptor(&error) => out_of_descriptors(form),
        Err(error) if is_no_file(&error) => missing(&folder, form).await,
        Err(error) => {
            eprintln!("cannot read a page: {error}");
            refused(StatusCode::INTERNAL_SERVER_ERROR, "the lab cannot read this page: its terminal says why")
        }
    };
    uncached(response)
}

/// Not "not found": the page is there, and comes when something else has ended.
fn out_of_descriptors(form: Form) -> Response {
    let why = "the lab has no file descriptor left: load the page again in a second";
    ([(header::RETRY_AFTER, "1")], Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why).response(form)).into_response()
}

/// The book's own page for what is not there, where it has one.
async fn missing(folder: &Path, form: Form) -> Response {
    match tokio::fs::read(folder.join("404.html")).await {
        Ok(page) => (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(),
        Err(error) if no_descriptor(&error) => out_of_descriptors(form),
        Err(_) => Refusal::new(StatusCode::NOT_FOUND, "there is no such page").response(form),
    }
}

fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidFilename | InvalidInput)
}

/// The folder changes with every build.
fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
