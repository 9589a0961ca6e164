//! Who may talk to the server: pages of this very server, readers who follow a link to it, and programs that are no browser.
//!
//! A server on loopback is reachable by every page the reader has open. A foreign page must not start programs here, nor embed or
//! read a page, nor reach the server under a name of its own that it points at 127.0.0.1. A link is let through: it shows the
//! reader a page, and tells the foreign one nothing.

mod name;
mod refusal;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::Response,
};

pub use self::name::Name;
pub(crate) use self::refusal::{Form, Refusal};

/// With every answer: no foreign page embeds, frames or sniffs it. That none reads it needs no header.
const SHIELD: [(HeaderName, &str); 4] = [
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'self'"),
    (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// The names under which this server may be addressed.
#[derive(Clone)]
pub(crate) struct Hosts(Arc<[Name]>);

impl Hosts {
    /// `localhost`, any address, and these. Nobody can point an address, or `localhost`, at another machine's server; and a port that
    /// was forwarded is another one than ours.
    pub(crate) fn new(names: &[Name]) -> Self {
        Self(names.into())
    }

    fn know(&self, host: &Name) -> bool {
        host.is_local() || self.state(host)
    }

    fn state(&self, host: &Name) -> bool {
        self.0.iter().any(|name| name.covers(host))
    }
}

/// Lets a request through, or says why not.
pub(crate) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let asked = Asked {
        headers: request.headers(),
        authority: request.uri().authority(),
        is_api: refusal::is_api(&request),
        reads: [Method::GET, Method::HEAD].contains(request.method()),
    };
    let mut response = match asked.objection(&hosts) {
        None => next.run(request).await,
        Some(refusal) => refusal.response(Form::of(&request)),
    };
    let shield = SHIELD.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(shield);
    response
}

/// What of a request decides.
struct Asked<'a> {
    headers: &'a HeaderMap,
    /// Of a request that names the whole address.
    authority: Option<&'a Authority>,
    is_api: bool,
    reads: bool,
}

impl Asked<'_> {
    fn objection(&self, hosts: &Hosts) -> Option<Refusal> {
        let Some(host) = self.host() else {
            return Some(Refusal::new(StatusCode::BAD_REQUEST, "a request has one Host header, and it is a host"));
        };
        if !hosts.know(&host) {
            return Some(unknown(&host));
        }
        if self.is_foreign() && !self.is_link() {
            let why = "another site asked for this: open the lab's page in a tab of its own";
            return Some(Refusal::new(StatusCode::FORBIDDEN, why));
        }
        if self.text("origin").is_some_and(|origin| !is_own(hosts, &host, origin)) {
            return Some(Refusal::new(StatusCode::FORBIDDEN, "another origin asked for this"));
        }
        None
    }

    /// The one host that is asked for; none when there is not exactly one.
    fn host(&self) -> Option<Name> {
        let mut named = self.headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else { return None };
        let host = host.to_str().ok()?.parse().ok()?;
        let same = self.authority.is_none_or(|other| other.as_str().parse::<Name>().is_ok_and(|other| other == host));
        same.then_some(host)
    }

    fn is_foreign(&self) -> bool {
        self.text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
    }

    /// A reader who follows a link, in a tab: what is shown then is out of the foreign page's reach.
    fn is_link(&self) -> bool {
        let is = |name, value| self.text(name) == Some(value);
        !self.is_api && self.reads && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
    }

    fn text(&self, name: &'static str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap_or("?"))
    }
}

fn unknown(host: &Name) -> Refusal {
    let message = format!(
        "this server does not answer to the name `{host}`: open it at the address that `cargo lab` printed, or, when the name is \
         yours, end it and start it with `cargo lab --host {host}`"
    );
    Refusal::new(StatusCode::FORBIDDEN, message)
}

/// A page of this server, or of the proxy before it that was stated by name.
fn is_own(hosts: &Hosts, host: &Name, origin: &str) -> bool {
    let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    origin.and_then(|origin| origin.parse().ok()).is_some_and(|origin: Name| origin == *host || hosts.state(&origin))
}

#[cfg(test)]
mod tests;
