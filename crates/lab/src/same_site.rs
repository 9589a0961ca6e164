//! Who may talk to the server: pages of this very server, and programs on this machine that are no browser.
//!
//! A server on loopback is reachable by every page the reader has open. A foreign page must not start programs here, nor
//! reach it under a name of its own that it points at 127.0.0.1.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The names under which this server may be addressed.
#[derive(Clone)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    pub(crate) fn of(port: u16) -> Self {
        Self(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")).into())
    }

    fn knows(&self, host: &str) -> bool {
        self.0.iter().any(|known| known == host)
    }
}

/// Lets a request through, or says why not.
pub(crate) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match objection(&hosts, request.headers()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, Json(json!({ "message": why }))).into_response(),
    }
}

fn objection(hosts: &Hosts, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if !text(header::HOST).is_some_and(|host| hosts.knows(host)) {
        return Some("this server answers only under its own name: open it at the address that `cargo lab` printed");
    }
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Some("another site asked for this");
    }
    let own = |origin: &str| origin.strip_prefix("http://").is_some_and(|host| hosts.knows(host));
    if text(header::ORIGIN).is_some_and(|origin| !own(origin)) {
        return Some("another origin asked for this");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], allowed: bool) {
        let map = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), header::HeaderValue::from_str(value).unwrap())
        });
        let objection = objection(&Hosts::of(3000), &map.collect());
        assert_eq!(objection.is_none(), allowed, "{headers:?}: {objection:?}");
    }

    #[test]
    fn a_foreign_or_missing_host_is_refused() {
        check(&[], false);
        check(&[("host", "evil.example:3000")], false);
        check(&[("host", "127.0.0.1:3001")], false);
        check(&[("host", "127.0.0.1:3000")], true);
        check(&[("host", "localhost:3000")], true);
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        for site in ["cross-site", "same-site", "?"] {
            check(&[("host", "localhost:3000"), ("sec-fetch-site", site)], false);
        }
        check(&[("host", "localhost:3000"), ("sec-fetch-site", "none")], true);
        check(&[("host", "localhost:3000"), ("sec-fetch-site", "same-origin")], true);
    }

    #[test]
    fn a_foreign_origin_is_refused() {
        for origin in ["null", "http://evil.example", "https://localhost:3000", "http://localhost:3001"] {
            check(&[("host", "localhost:3000"), ("origin", origin)], false);
        }
        check(&[("host", "localhost:3000"), ("origin", "http://localhost:3000")], true);
    }
}
