//! A refusal with its reason: a small page for a browser, JSON for programs and for the pages' own script.

use axum::{
    Json,
    extract::Request,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::json;

/// Why something is not answered, and what to do.
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

/// How whoever asked wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// To a browser that wanted a page.
    Page,
    /// To the pages' script, and to programs.
    Json,
}

impl Form {
    pub(crate) fn of(request: &Request) -> Self {
        let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let wants_page = accepts.is_some_and(|types| types.contains("text/html"));
        if wants_page && !is_api(request) { Self::Page } else { Self::Json }
    }
}

/// True for what only the pages' script asks.
pub(super) fn is_api(request: &Request) -> bool {
    request.uri().path().starts_with("/api/")
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn response(self, form: Form) -> Response {
        match form {
            Form::Page => (self.status, Html(page(&self.message))).into_response(),
            Form::Json => (self.status, Json(json!({ "message": self.message }))).into_response(),
        }
    }
}

/// What stands between backticks becomes code.
fn page(message: &str) -> String {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let parts = message.split('`').enumerate();
    let text: String =
        parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Not here</title><body style=\"font:1.1em/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em\">\
         <h1>Not here</h1><p>{text}.</p></body></html>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_code_as_code_and_nothing_as_markup() {
        let page = page("run `cargo lab`, <b> & more");
        assert!(page.contains("run <code>cargo lab</code>, &lt;b> &amp; more."), "{page}");
    }
}
