//! Every side against `curl -N`: what it is sent, what is left when it is killed in mid-stream, what it gets when it comes back,
//! and what happens when descriptors run out.

use std::{
    ffi::OsString,
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use stage::wire::{Line, Report, Sample};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

const SIDES: [(&str, &str, f64); 6] = [
    ("leak", env!("CARGO_BIN_EXE_sse-push-leak"), 1.0),
    ("fix", env!("CARGO_BIN_EXE_sse-push-fix"), 0.0),
    ("wrong", env!("CARGO_BIN_EXE_sse-push-wrong"), 1.0),
    (
        "wrong-try-send",
        env!("CARGO_BIN_EXE_sse-push-wrong-try-send"),
        1.0,
    ),
    ("closed", env!("CARGO_BIN_EXE_sse-push-closed"), 0.0),
    ("no-task", env!("CARGO_BIN_EXE_sse-push-no-task"), 0.0),
];
const LEAK: &str = SIDES[0].1;
const FIX: &str = SIDES[1].1;
/// Nothing here takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(60);
/// The service keeps 32 descriptors for itself, and takes eight visitors with this many.
const DESCRIPTORS: usize = 40;
const SEATS: usize = 8;

#[tokio::test]
async fn a_live_stream_has_its_headers_and_events_have_id_and_json() {
    for (_, bin, _) in SIDES {
        let service = Service::start(bin, 1, None).await;
        let mut curl = Curl::start(&["-i", &service.events()]).await;
        let head = curl.until("").await.join("\n").to_lowercase();
        for line in [
            "http/1.1 200",
            "content-type: text/event-stream",
            "cache-control: no-store",
            "x-accel-buffering: no",
        ] {
            assert!(
                head.contains(line),
                "{bin}: no {line} in\n{head}"
            );
        }
        // Heartbeats may come in between, on the sides that beat often.
        let events = curl.ids(2).await;
        assert!(
            events.lines.contains(&"retry: 2000".to_owned()),
            "{bin}: {events:?}"
        );
        assert_eq!(events.ids, [1, 2], "{bin}");
        assert!(
            events.lines.contains(&"event: scan".to_owned()),
            "{bin}: {events:?}"
        );
        let scan = &events.data[1];
        assert_eq!(
            (&scan["id"], &scan["parcel"], &scan["place"]),
            (&2.into(), &"P7".into(), &"depot".into())
        );
        assert!(
            scan["at_ms"]
                .as_u64()
                .is_some_and(|ms| ms > 1_700_000_000_000),
            "{bin}: {scan}"
        );
    }
}

#[tokio::test]
async fn curls_killed_in_mid_stream_leave_what_the_side_states() {
    const CURLS: u64 = 20;
    for (side, bin, stated) in SIDES {
        let mut service = Service::start(bin, CURLS, None).await;
        let mut curls = Vec::new();
        for _ in 0..CURLS {
            curls.push(Curl::start(&[&service.events()]).await);
        }
        for curl in &mut curls {
            assert_eq!(curl.ids(2).await.ids, [1, 2]);
        }
        for curl in curls {
            curl.kill().await;
        }
        let (report, code) = service.report().await;
        assert_eq!(
            report.survivors["tasks"], stated,
            "{side}: {:?}",
            report.spawned_at
        );
        assert_eq!(
            report.survivors["subscriptions"], stated,
            "{side}"
        );
        assert_eq!(
            (
                report.survivors["sockets"],
                report.survivors["streams_open"]
            ),
            (0.0, 0.0),
            "{side}"
        );
        assert_eq!(code, Some(0), "{side}: {:?}", report.problems);
    }
}

#[tokio::test]
async fn the_next_scan_ends_every_producer_that_leaked() {
    const CURLS: u64 = 20;
    // One visit more than will come: the run goes on.
    let mut service = Service::start(LEAK, CURLS + 1, None).await;
    let before = service.sample_when(|_| true).await.gauges["tasks"];
    for _ in 0..CURLS {
        let mut curl = Curl::start(&[&service.events()]).await;
        curl.ids(2).await;
        curl.kill().await;
    }
    service
        .sample_when(|now| {
            now.gauges["streams_open"] == 0
                && now.gauges["tasks"] == before + CURLS
        })
        .await;
    // A parcel that none of them follows wakes them, and none of them learns anything.
    assert_eq!(service.courier("P9", "van").await, "3");
    service
        .sample_when(|now| now.gauges["tasks"] == before + CURLS)
        .await;
    assert_eq!(service.courier("P7", "van").await, "4");
    service.sample_when(|now| now.gauges["tasks"] == before).await;
}

#[tokio::test]
async fn a_curl_that_comes_back_gets_what_it_missed_and_nothing_twice()
 {
    let service = Service::start(FIX, 9, None).await;
    let mut first = Curl::start(&[&service.events()]).await;
    assert_eq!(first.ids(2).await.ids, [1, 2]);
    first.kill().await;
    service.courier("P9", "not ours").await;
    service.courier("P7", "van").await;
    let mut back =
        Curl::start(&["-H", "Last-Event-ID: 2", &service.events()])
            .await;
    assert_eq!(back.ids(1).await.ids, [4]);
    service.courier("P7", "door\n\"7\"").await;
    let last = back.ids(1).await;
    assert_eq!(last.ids, [5]);
    assert_eq!(
        last.data[0]["place"], "door\n\"7\"",
        "a line break in the data breaks no event"
    );
    // An id that is none, and one that this broker never gave: then all of it.
    for id in ["x", "-1", "18446744073709551616", "99"] {
        let mut lost = Curl::start(&[
            "-H",
            &format!("Last-Event-ID: {id}"),
            &service.events(),
        ])
        .await;
        assert_eq!(lost.ids(4).await.ids, [1, 2, 4, 5], "{id}");
    }
}

#[tokio::test]
async fn a_visitor_too_many_is_refused_at_once_and_welcome_when_one_has_left()
 {
    for (side, bin, _) in SIDES {
        let mut service =
            Service::start(bin, 99, Some(DESCRIPTORS)).await;
        let mut curls = Vec::new();
        for _ in 0..SEATS {
            let mut curl = Curl::start(&[&service.events()]).await;
            curl.ids(2).await;
            curls.push(curl);
        }
        let mut refused =
            Curl::start(&["-i", &service.events()]).await;
        let head = refused.until("").await.join("\n").to_lowercase();
        assert!(
            head.contains("http/1.1 503")
                && head.contains("retry-after: 5"),
            "{side}: {head}"
        );
        curls.remove(0).kill().await;
        service
            .sample_when(|now| {
                now.gauges["streams_open"] == SEATS as u64 - 1
            })
            .await;
        let mut welcome = Curl::start(&[&service.events()]).await;
        assert_eq!(welcome.ids(2).await.ids, [1, 2], "{side}");
    }
}

#[tokio::test]
async fn running_out_of_descriptors_ends_neither_the_server_nor_its_streams()
 {
    let mut service =
        Service::start(FIX, 99, Some(DESCRIPTORS)).await;
    let mut curl = Curl::start(&[&service.events()]).await;
    curl.ids(2).await;
    // A courier who is connected, before anybody else takes the last descriptor.
    let mut courier = TcpStream::connect(service.addr).await.unwrap();
    courier.write_all(post("van").as_bytes()).await.unwrap();
    assert_eq!(curl.ids(1).await.ids, [3]);
    // The kernel connects them all; the service can accept some.
    let mut idle = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        idle.push(TcpStream::connect(service.addr).await.unwrap());
    }
    eventually(|| service.descriptors() == DESCRIPTORS).await;
    let mut late = Curl::start(&[
        "--max-time",
        "2",
        "-w",
        "%{exitcode}\n",
        &service.events(),
    ])
    .await;
    assert_eq!(
        late.until("28").await,
        [""; 0],
        "nobody accepts it: it runs into its own time limit"
    );
    courier.write_all(post("door").as_bytes()).await.unwrap();
    assert_eq!(curl.ids(1).await.ids, [4], "an open stream goes on");
    drop(idle);
    let mut back = Curl::start(&[&service.events()]).await;
    assert_eq!(back.ids(4).await.ids, [1, 2, 3, 4]);
    assert_eq!(service.child.try_wait().unwrap(), None);
    service.sample_when(|now| now.gauges["streams_open"] == 2).await;
}

fn post(place: &str) -> String {
    let length = place.len();
    format!(
        "POST /parcels/P7/scans HTTP/1.1\r\nHost: parcels\r\nContent-Length: {length}\r\n\r\n{place}"
    )
}

/// For what nobody announces.
async fn eventually(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, wait).await.expect("it never came to that");
}

/// One side, waiting for real visitors. It ends with the test.
struct Service {
    child: Child,
    addr: SocketAddr,
    /// Just before the program's own clock began.
    started: Instant,
    lines: Lines<BufReader<ChildStdout>>,
    /// Kept open, so that the service may complain.
    _complaints: BufReader<ChildStderr>,
}

impl Service {
    async fn start(
        bin: &str,
        units: u64,
        descriptors: Option<usize>,
    ) -> Self {
        let limit = descriptors
            .map_or("true".to_owned(), |n| format!("ulimit -n {n}"));
        let started = Instant::now();
        let mut child = Command::new("sh")
            .args([
                "-c",
                &format!("{limit} && exec \"$0\" \"$@\""),
                bin,
            ])
            .args([
                "--json",
                "--no-console",
                "--units",
                &units.to_string(),
            ])
            .env("SSE_PUSH_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut complaints =
            BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        timeout(LIMIT, complaints.read_line(&mut first))
            .await
            .unwrap()
            .unwrap();
        let addr = first
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next()?.parse().ok());
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            started,
            addr: addr.unwrap_or_else(|| panic!("{bin}: {first}")),
            lines,
            _complaints: complaints,
        }
    }

    fn events(&self) -> String {
        format!("http://{}/parcels/P7/events", self.addr)
    }

    /// A scan by a courier with a curl of his own; returns its id.
    async fn courier(&self, parcel: &str, place: &str) -> String {
        let url =
            format!("http://{}/parcels/{parcel}/scans", self.addr);
        let mut curl = Curl::start(&[
            "-w",
            "\n",
            "--data-binary",
            place,
            "-H",
            "Content-Type: text/plain",
            &url,
        ])
        .await;
        curl.line().await.expect("an answer")
    }

    async fn line(&mut self) -> Line {
        let line = timeout(LIMIT, self.lines.next_line())
            .await
            .expect("a line in time")
            .unwrap()
            .expect("it runs");
        serde_json::from_str(&line).unwrap()
    }

    /// The first sample from now on in which this is so.
    async fn sample_when(
        &mut self,
        holds: impl Fn(&Sample) -> bool,
    ) -> Sample {
        let mut last = None;
        // Samples that were taken before wait in the pipe.
        let now = self.started.elapsed().as_millis() as u64;
        let find = async {
            loop {
                match self.line().await {
                    Line::Sample(sample)
                        if sample.elapsed_ms > now
                            && holds(&sample) =>
                    {
                        return sample;
                    }
                    line => last = Some(line),
                }
            }
        };
        let found = timeout(LIMIT, find).await;
        found.unwrap_or_else(|_| {
            panic!("it never came to that; at last {last:?}")
        })
    }

    async fn report(&mut self) -> (Report, Option<i32>) {
        loop {
            if let Line::Report(report) = self.line().await {
                return (
                    report,
                    self.child.wait().await.unwrap().code(),
                );
            }
        }
    }

    /// Open descriptors with a number below the limit. Above it are
    /// those that a shell may have left to it.
    fn descriptors(&self) -> usize {
        let pid = self.child.id().expect("it runs");
        let open =
            std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let number =
            |name: OsString| name.to_str()?.parse::<usize>().ok();
        open.flatten()
            .filter_map(|entry| number(entry.file_name()))
            .filter(|fd| *fd < DESCRIPTORS)
            .count()
    }
}

/// What curl wrote about some events.
#[derive(Debug, Default)]
struct Events {
    lines: Vec<String>,
    ids: Vec<u64>,
    data: Vec<Value>,
}

/// A real curl that does not buffer. It ends with the test.
struct Curl {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Curl {
    async fn start(args: &[&str]) -> Self {
        let child = Command::new("curl")
            .args(["--silent", "--no-buffer", "--http1.1"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child =
            child.expect("curl is missing: `sudo apt install curl`");
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> Option<String> {
        timeout(LIMIT, self.lines.next_line())
            .await
            .expect("a line in time")
            .unwrap()
    }

    /// The lines before this one.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            if line.trim_end() == last {
                return lines;
            }
            lines.push(line);
        }
        panic!("no line {last:?} after {lines:?}")
    }

    /// The next events that have an id.
    async fn ids(&mut self, count: usize) -> Events {
        let mut events = Events::default();
        while events.ids.len() < count {
            let line = self.line().await.expect("the stream goes on");
            let field =
                |name| line.strip_prefix(name).map(str::to_owned);
            events.data.extend(field("data: ").map(|data| {
                serde_json::from_str::<Value>(&data).unwrap()
            }));
            events.ids.extend(
                field("id: ").map(|id| id.parse::<u64>().unwrap()),
            );
            events.lines.push(line);
        }
        events
    }

    /// SIGKILL: it cannot say goodbye.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
