//! The server answers pages of its own and nobody else, runs what it knows and no more than two at once, and cleans up.

mod build;
mod names;
mod practice;
mod sockets;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::common::{Fixture, LIMIT, Lab, await_gone, await_that, lab};
use rustix::process::Signal;

const PAIR: &str = "unconsumed-send";

struct Site {
    lab: Lab,
    port: u16,
}

/// One answer of the server, its body unread.
struct Answer {
    status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: BufReader<TcpStream>,
}

impl Site {
    /// The workbook's own book.
    fn open() -> Self {
        Self::start(lab(&["serve", "--port", "0", "--no-open"]))
    }

    /// A little book, which a test may change.
    fn of(book: &Fixture) -> Self {
        Self::start(book.lab(&["--port", "0", "--no-open"]))
    }

    fn start(command: Command) -> Self {
        let mut lab = Lab::start(command);
        let line = lab.line_with("the book is at http://127.0.0.1:");
        let port = line.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        Self { lab, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// Asks as a program would, word for word: no client library would send what some tests need.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "{}", self.request(method, path, &[headers, &[("connection", "close")]].concat(), body))
            .unwrap();
        Answer::read(stream)
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let own_host = format!("127.0.0.1:{}", self.port);
        let host = headers.iter().find(|(name, _)| *name == "host").map_or(own_host.as_str(), |(_, value)| value);
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        request + "\r\n" + body
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path, &[], "");
        (answer.status, answer.text())
    }

    /// On a connection that stays open.
    fn get_on(&self, stream: &TcpStream, path: &str) -> (u16, String) {
        let mut writer = stream;
        write!(writer, "{}", self.request("GET", path, &[], "")).unwrap();
        let mut answer = Answer::read(stream.try_clone().unwrap());
        let mut body = vec![0; answer.header("content-length").unwrap().parse().unwrap()];
        answer.body.read_exact(&mut body).unwrap();
        (answer.status, String::from_utf8(body).unwrap())
    }

    /// The number of the build that is served, and why the sources do not build now.
    fn build(&self) -> (u64, Option<String>) {
        let told: serde_json::Value = serde_json::from_str(&self.get("/api/build").1).unwrap();
        (told["build"].as_u64().unwrap(), told["problem"].as_str().map(str::to_owned))
    }

    fn run(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask("POST", &format!("/api/run/{PAIR}"), headers, r#"{"sides":["leak","fix"]}"#)
    }
}

impl Answer {
    fn read(stream: TcpStream) -> Self {
        let mut body = BufReader::new(stream);
        let mut line = String::new();
        body.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
        let mut headers = Vec::new();
        loop {
            line.clear();
            body.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        Self { status, headers, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn text(mut self) -> String {
        let mut text = String::new();
        self.body.read_to_string(&mut text).unwrap();
        text
    }

    /// Every event of a run. Between them are the lengths of chunks.
    fn events(self) -> Vec<serde_json::Value> {
        let text = self.text();
        text.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Reads until a line contains `part`.
    fn await_line(&mut self, part: &str) -> String {
        let mut lines = self.body.by_ref().lines().map(Result::unwrap);
        lines.find(|line| line.contains(part)).unwrap_or_else(|| panic!("the run ended without `{part}`"))
    }
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
    for body in [r#"{"sides":[]}"#, r#"{"sides":["leak","leak"]}"#] {
        assert_eq!(site.ask("POST", "/api/run/unconsumed-send", &[], body).status, 400, "{body}");
    }
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
    assert!(text.contains("press Stop"), "{text}");
    await_that("four programs run", || site.lab.children(PAIR).len() == 4);
    // Meanwhile any number of other pages is open.
    let tabs: Vec<_> =
        (0..build::TABS).map(|_| site.connect()).inspect(|tab| assert_eq!(site.get_on(tab, "/").0, 200)).collect();
    assert_eq!((tabs.len(), site.get("/").0), (build::TABS, 200));
    let programs = site.lab.children(PAIR);
    drop(pages);
    await_gone(&programs);
    await_that("there is room again", || site.run(&[]).status == 200);
}

#[test]
fn a_run_is_drawn_while_it_runs_and_ends_with_its_verdict() {
    let site = Site::open();
    let page = site.run(&[("sec-fetch-site", "same-origin")]);
    let events = page.events();
    let of_kind = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let samples = of_kind("sample");
    let gauges = samples[0]["sample"]["gauges"].as_object().unwrap();
    let of_all = |gauge: &&String| samples.iter().all(|one| one["sample"]["gauges"].get(gauge.as_str()).is_some());
    assert!(gauges.keys().filter(of_all).count() > 4);
    for gauge in gauges.keys().filter(of_all) {
        let drawings = of_kind("drawing").into_iter().filter(|drawing| drawing["gauge"] == *gauge);
        let drawings: Vec<_> = drawings.map(|drawing| drawing["svg"].as_str().unwrap()).collect();
        assert!(
            drawings.len() > 2 && drawings.iter().all(|svg| svg.starts_with("<svg")),
            "{gauge}: {}",
            drawings.len()
        );
        // The last one shows both sides to their end.
        let last = drawings.last().unwrap();
        assert!(last.contains("wb-leak") && last.contains("wb-fix"), "{last}");
    }
    let verdict = events.last().unwrap();
    assert_eq!((verdict["event"].as_str(), verdict["ok"].as_bool()), (Some("verdict"), Some(true)), "{verdict}");
    await_that("both programs have ended", || site.lab.children(PAIR).is_empty());
}

#[test]
fn a_signal_ends_the_server_its_programs_and_frees_the_port() {
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
fn each_signal_ends_with_the_code_that_a_shell_gives_it() {
    let book = Fixture::book();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let site = Site::of(&book);
        site.lab.signal(signal);
        assert_eq!(site.lab.end().0, code);
    }
}

#[test]
fn a_taken_port_is_one_line_and_the_command_in_it_works() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let output = lab(&["serve", "--no-open", "--port", &port]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), words.lines().count()), (Some(2), 1), "{words}");
    let command = words.split('`').nth(1).unwrap();
    // Cargo's alias runs this very binary. Not by cargo here: it might build it anew, under the other tests.
    let args = command.strip_prefix("cargo lab ").unwrap_or_else(|| panic!("{command}"));
    let repaired = lab(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(Site::start(repaired).get("/").0, 200);
}
