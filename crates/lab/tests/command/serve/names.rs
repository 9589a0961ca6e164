//! Who is answered: pages of this server, links to it from anywhere, names that were stated; and nobody else.

use super::{PAIR, Site};
use crate::common::Fixture;

/// What Chromium sends when a reader follows a link on a page elsewhere.
const LINK: [(&str, &str); 5] = [
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
    ("sec-fetch-dest", "document"),
];

#[test]
fn a_foreign_host_or_site_is_refused_and_the_own_page_served() {
    let site = Site::open();
    assert_eq!(site.ask("GET", "/", &[], "").status, 200);
    for headers in [
        [("host", "evil.example")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "http://evil.example")],
    ] {
        assert_eq!(site.ask("GET", "/", &headers, "").status, 403, "{headers:?}");
        assert_eq!(site.run(&headers).status, 403, "{headers:?}");
    }
    assert_eq!(site.lab.children(PAIR), [] as [u32; 0]);
}

#[test]
fn a_link_from_another_site_shows_the_page_and_starts_nothing() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let page = site.ask("GET", "/index.html", &LINK, "");
    assert_eq!(page.status, 200);
    // Nobody embeds it, and no foreign page reads it.
    assert_eq!(page.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(page.header("content-security-policy"), Some("frame-ancestors 'self'"));
    assert_eq!(page.header("access-control-allow-origin"), None);
    assert!(page.text().contains("A little book"));
    for (method, path) in [("GET", "/api/lab"), ("GET", "/api/build"), ("POST", "/api/run/on-fire")] {
        let refused = site.ask(method, path, &LINK, "");
        assert_eq!(refused.status, 403, "{path}");
        assert!(serde_json::from_str::<serde_json::Value>(&refused.text()).is_ok(), "the API speaks JSON");
    }
    let mut frame = LINK;
    frame[4] = ("sec-fetch-dest", "iframe");
    let refused = site.ask("GET", "/index.html", &frame, "");
    assert_eq!(refused.status, 403);
    let text = refused.text();
    assert!(text.starts_with("<!doctype html>") && text.contains("in a tab of its own"), "{text}");
}

#[test]
fn a_forwarded_port_is_answered_and_an_unknown_name_is_told_what_to_do() {
    let book = Fixture::book();
    let site = Site::of(&book);
    // `ssh -L 8080:127.0.0.1:3000`: the browser knows the other port only.
    let forwarded =
        [("host", "localhost:8080"), ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
    assert_eq!(site.ask("GET", "/api/lab", &forwarded, "").status, 200);
    let foreign = [("host", "localhost:8080"), ("origin", "http://localhost:8081")];
    assert_eq!(site.ask("GET", "/api/lab", &foreign, "").status, 403);
    let refused = site.ask("GET", "/", &[("host", "lab.example:3000"), ("accept", "text/html")], "");
    assert_eq!((refused.status, refused.header("content-type")), (403, Some("text/html; charset=utf-8")));
    let text = refused.text();
    assert!(text.contains("<code>cargo lab --host lab.example:3000</code>"), "{text}");
    let odd = site.ask("GET", "/", &[("host", "a<script>"), ("accept", "text/html")], "");
    assert_eq!(odd.status, 400);
    assert!(!odd.text().contains("<script"), "what somebody sent is no markup");
}

#[test]
fn a_stated_name_is_answered_and_another_address_is_listened_on_with_a_warning() {
    let book = Fixture::book();
    let args = ["--port", "0", "--no-open", "--host", "lab.example", "--host", "box:8080", "--bind", "0.0.0.0"];
    let site = Site::start(book.lab(&args));
    for (host, status) in [("lab.example", 200), ("lab.example:443", 200), ("box:8080", 200), ("box", 403), ("x", 403)]
    {
        assert_eq!(site.ask("GET", "/api/lab", &[("host", host)], "").status, status, "{host}");
    }
    let (_, words) = site.lab.end_by(rustix::process::Signal::TERM);
    assert_eq!(words.lines().filter(|line| line.starts_with("warning: whoever reaches 0.0.0.0")).count(), 1, "{words}");
    let (_, words) = Site::of(&book).lab.end_by(rustix::process::Signal::TERM);
    assert_eq!(words, "");
}

#[test]
fn two_hosts_are_a_bad_request() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let own = format!("127.0.0.1:{}", site.port);
    // The second one by another spelling, for `ask` sends one `host` only.
    let twice = site.ask("GET", "/", &[("Host", &own)], "");
    assert_eq!(twice.status, 400);
    assert_eq!(site.get("/").0, 200);
}
