//! The server answers pages of its own and nobody else, runs what it knows and no more than two at once, and cleans up.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::common::{LIMIT, Lab, await_gone, await_that, lab};
use rustix::process::Signal;

const PAIR: &str = "unconsumed-send";

struct Site {
    lab: Lab,
    port: u16,
}

/// One answer of the server, its body unread.
struct Answer {
    status: u16,
    body: BufReader<TcpStream>,
}

impl Site {
    fn open() -> Self {
        let mut lab = Lab::start(lab(&["serve", "--port", "0", "--no-open"]));
        let line = lab.line_with("the book is at http://127.0.0.1:");
        let port = line.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        Self { lab, port }
    }

    /// Asks as a program would, word for word: no client library would send what some tests need.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let own_host = format!("127.0.0.1:{}", self.port);
        let host = headers.iter().find(|(name, _)| *name == "host").map_or(own_host.as_str(), |(_, value)| value);
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        write!(stream, "{request}\r\n{body}").unwrap();
        let mut body = BufReader::new(stream);
        let mut line = String::new();
        body.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        while line != "\r\n" {
            line.clear();
            body.read_line(&mut line).unwrap();
        }
        Answer { status, body }
    }

    fn run(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask("POST", &format!("/api/run/{PAIR}"), headers, r#"{"sides":["leak","fix"]}"#)
    }
}

impl Answer {
    fn text(mut self) -> String {
        let mut text = String::new();
        self.body.read_to_string(&mut text).unwrap();
        text
    }

    /// Reads until a line contains `part`.
    fn await_line(&mut self, part: &str) -> String {
        let mut lines = self.body.by_ref().lines().map(Result::unwrap);
        lines.find(|line| line.contains(part)).unwrap_or_else(|| panic!("the run ended without `{part}`"))
    }
}

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
fn unknown_scenarios_sides_and_paths_outside_the_book_are_refused() {
    let site = Site::open();
    let unknown = site.ask("POST", "/api/run/unconsumed-sned", &[], r#"{"sides":["leak"]}"#);
    assert_eq!(unknown.status, 404);
    let text = unknown.text();
    assert!(text.contains("did you mean `unconsumed-send`?"), "{text}");
    for (path, body) in [
        ("/api/run/unconsumed-send", r#"{"sides":["fxi"]}"#),
        ("/api/run/..%2f..%2fcrates%2flab", r#"{"sides":["leak"]}"#),
        ("/api/run/unconsumed-send", r#"{"sides":["../../bin/sh"]}"#),
    ] {
        assert_eq!(site.ask("POST", path, &[], body).status, 404, "{path} {body}");
    }
    assert_eq!(site.ask("POST", "/api/run/unconsumed-send", &[], r#"{"sides":[]}"#).status, 400);
    assert_eq!(site.ask("GET", "/api/run/unconsumed-send", &[], "").status, 405);
    for path in
        ["/../../Cargo.toml", "/%2e%2e/%2e%2e/Cargo.toml", "/..%2f..%2fCargo.toml", "//etc/passwd", "/no-such-page"]
    {
        let answer = site.ask("GET", path, &[], "");
        let status = answer.status;
        let text = answer.text();
        assert!(status == 404 || status == 400, "{path}: {status}");
        assert!(!text.contains("[workspace]") && !text.contains("root:"), "{path}: {text}");
    }
}

#[test]
fn a_third_run_waits_its_turn_and_a_closed_page_ends_its_programs() {
    let site = Site::open();
    let mut pages = [site.run(&[]), site.run(&[])];
    for page in &mut pages {
        assert_eq!(page.status, 200);
        page.await_line(r#""event":"sample""#);
    }
    let third = site.run(&[]);
    assert_eq!(third.status, 429);
    let text = third.text();
    assert!(text.contains("2 runs are under way"), "{text}");
    await_that("four programs run", || site.lab.children(PAIR).len() == 4);
    let programs = site.lab.children(PAIR);
    drop(pages);
    await_gone(&programs);
    await_that("there is room again", || site.run(&[]).status == 200);
}

#[test]
fn a_run_ends_with_its_verdict() {
    let site = Site::open();
    let mut page = site.run(&[("sec-fetch-site", "same-origin")]);
    let verdict = page.await_line(r#""event":"verdict""#);
    assert!(verdict.contains(r#""ok":true"#), "{verdict}");
    await_that("both programs have ended", || site.lab.children(PAIR).is_empty());
}

#[test]
fn sigterm_ends_the_server_its_programs_and_frees_the_port() {
    let site = Site::open();
    let mut page = site.run(&[]);
    page.await_line(r#""event":"sample""#);
    let programs = site.lab.children(PAIR);
    assert_eq!(programs.len(), 2);
    site.lab.signal(Signal::TERM);
    let port = site.port;
    assert_eq!(site.lab.end().0, 143);
    await_gone(&programs);
    TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
}

#[test]
fn a_taken_port_is_one_line_with_the_repair() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let output = lab(&["serve", "--no-open", "--port", &port]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(words.contains("--port 0"), "{words}");
}
