//! A server for reading: it answers to its pages, and starts nothing.

use axum::{Router, http::StatusCode, response::Response, routing::any};

use super::state::refuse;

/// What a page would ask a lab for. Each is refused in one line, and in one way.
pub(super) fn router() -> Router {
    ["/api/lab", "/api/run/{name}", "/api/check/{name}", "/api/progress"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, any(refused)))
}

async fn refused() -> Response {
    refuse(
        StatusCode::FORBIDDEN,
        "this server is for reading, and starts nothing: clone the workbook, and run `cargo lab` there",
    )
}
