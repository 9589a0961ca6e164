//! Every side against `curl -N`: what it is sent, what is left when it is killed in mid-stream, what it gets when it comes back,
//! and what happens when descriptors run out.

mod service;
mod visitor;

use std::time::Duration;

use service::Service;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use visitor::Curl;

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
