//! Few descriptors, many connections, odd addresses: the server answers on.

use std::{io::Write, net::TcpStream, process::Command, process::Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use super::{Answer, Site};
use crate::common::{Fixture, await_that};

/// Too few for a connection each.
const DESCRIPTORS: u64 = 64;
const CLIENTS: usize = 100;

/// A server that may have few descriptors.
fn poor(book: &Fixture) -> Site {
    let lab = book.lab(&["--port", "0", "--no-open"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"")])
        .arg(lab.get_program())
        .args(lab.get_args());
    command.envs(lab.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(lab.get_current_dir().unwrap()).stdin(Stdio::null());
    Site::start(command)
}

#[test]
fn with_few_descriptors_and_many_idle_connections_pages_are_served() {
    let book = Fixture::book();
    let site = poor(&book);
    let built = site.build().0;
    let mut idle = Vec::new();
    for i in 0..CLIENTS {
        let mut stream = site.connect();
        // Some say half a request, some nothing.
        stream.write_all(if i % 2 == 0 { b"GET / HTTP/1.1\r\n" } else { b"" }).unwrap();
        idle.push(stream);
        assert_eq!(site.get("/index.html").0, 200, "beside {i} idle connections");
    }
    drop(idle);
    assert_eq!(site.get("/index.html").0, 200);
    assert_eq!(site.build().0, built, "nothing was taken for a change");
    let (_, words) = site.lab.end_by(Signal::TERM);
    assert!(words.contains("connections are open, and no more will be"), "{words}");
    assert!(words.lines().count() <= CLIENTS / 10, "the log is no flood: {words}");
}

#[test]
fn without_any_descriptor_a_page_is_busy_not_missing_and_comes_back() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let tab = site.connect();
    assert_eq!(site.get_on(&tab, "/index.html").0, 200);
    let pid = Pid::from_child(&site.lab.child);
    let limit =
        |current| prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(current), maximum: before().maximum });
    limit(0).unwrap();
    let (status, text) = site.get_on(&tab, "/index.html");
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("no file descriptor left"), "{text}");
    // The kernel takes it; the server cannot yet.
    let mut waiting = site.connect();
    write!(waiting, "{}", site.request("GET", "/index.html", &[("connection", "close")], "")).unwrap();
    limit(before().current.unwrap()).unwrap();
    assert_eq!(Answer::read(waiting).status, 200, "it was waited for");
    await_that("pages are there as before", || site.get("/index.html").0 == 200);
    assert_eq!(site.build().1, None, "nothing was taken for a change");
}

fn before() -> Rlimit {
    rustix::process::getrlimit(Resource::Nofile)
}

#[test]
fn an_address_that_is_too_long_for_a_file_is_no_fault_of_the_server() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let status = |path: &str| site.get(path).0;
    for (length, expected) in [(300, 404), (5_000, 414), (70_000, 414)] {
        assert_eq!(status(&format!("/{}", "a".repeat(length))), expected, "{length}");
    }
    assert_eq!(status(&format!("/{}", "a/".repeat(1_000))), 404);
    assert_eq!(status("/index.html/more"), 404);
    assert_eq!(status("/index.html"), 200);
}

#[test]
fn a_connection_that_says_nothing_is_closed_and_disturbs_nobody() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let mut half: Vec<TcpStream> = (0..300).map(|_| site.connect()).collect();
    for stream in &mut half {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: ");
    }
    assert_eq!(site.get("/index.html").0, 200);
    for stream in &mut half {
        // Closed by the limit on their number or by the one on time; a reset is an end too.
        let end = std::io::Read::read(stream, &mut [0; 16]);
        assert!(end.as_ref().map_or_else(|e| e.kind() == std::io::ErrorKind::ConnectionReset, |n| *n == 0), "{end:?}");
    }
}

#[test]
fn a_request_that_does_not_end_is_refused_in_time() {
    let book = Fixture::book();
    let site = Site::of(&book);
    let mut stream = site.connect();
    let whole = site.request("POST", "/api/run/on-fire", &[], r#"{"sides":["leak"]}"#);
    stream.write_all(whole.split_at(whole.len() - 3).0.as_bytes()).unwrap();
    assert_eq!(Answer::read(stream).status, 408);
}
