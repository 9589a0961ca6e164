//! What a client of every side is told, over real gRPC.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::time::timeout;
use tonic::{Code, Streaming, transport::Channel};
use xds::{Client, ENDPOINTS, LISTENER, Request, SHOP, TYPES};

const SIDES: [&str; 6] = [
    env!("CARGO_BIN_EXE_xds-delta-stream-leak"),
    env!("CARGO_BIN_EXE_xds-delta-stream-fix"),
    env!("CARGO_BIN_EXE_xds-delta-stream-wrong"),
    env!("CARGO_BIN_EXE_xds-delta-stream-wrong-select"),
    env!("CARGO_BIN_EXE_xds-delta-stream-wrong-keepalive"),
    env!("CARGO_BIN_EXE_xds-delta-stream-no-reader"),
];
const LISTEN: &str = "XDS_DELTA_STREAM_LISTEN";
const LIMIT: Duration = Duration::from_secs(60);

/// A side that waits for an Envoy, and ends with the test.
struct Plane {
    child: Child,
    address: SocketAddr,
}

impl Plane {
    fn start(program: &str) -> Self {
        let mut child = Command::new(program)
            .args([
                "--no-console",
                "--json",
                "--units",
                "1",
                "--hold",
            ])
            .env(LISTEN, "127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let address = first.trim_end().rsplit(' ').next().unwrap();
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("{program}: {first}"));
        Self { child, address }
    }

    async fn client(&self) -> Client<Channel> {
        let connected =
            Client::connect(format!("http://{}", self.address));
        timeout(LIMIT, connected).await.unwrap().unwrap()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(kind: &str) -> Request {
    let name = if kind == ENDPOINTS { SHOP } else { "*" };
    Request {
        type_url: kind.into(),
        resource_names_subscribe: vec![name.into()],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_client_is_configured_and_its_next_request_ends_the_stream_with_the_reason()
 {
    for program in SIDES {
        let plane = Plane::start(program);
        let mut client = plane.client().await;
        // The test sends, the network receives; it closes at the end of this round.
        let (say, says) = tokio::sync::mpsc::channel(8);
        let says = stream::unfold(says, async |mut says| {
            Some((says.recv().await?, says))
        })
        .boxed();
        for kind in TYPES {
            say.send(request(kind)).await.unwrap();
        }
        let mut told = client
            .delta_aggregated_resources(says)
            .await
            .unwrap()
            .into_inner();
        let mut nonce = String::new();
        for kind in TYPES {
            let answer = next(&mut told).await;
            assert_eq!(
                (
                    answer.type_url.as_str(),
                    answer.system_version_info.as_str()
                ),
                (kind, "1"),
                "{program}"
            );
            assert_eq!(answer.resources.len(), 1, "{program}");
            assert_eq!(answer.resources[0].name, SHOP);
            nonce = answer.nonce;
        }
        // It accepts the listener; the next revision is rolled out, and the inventory is down.
        let accepts = Request {
            type_url: LISTENER.into(),
            response_nonce: nonce,
            ..Default::default()
        };
        say.send(accepts).await.unwrap();
        for kind in TYPES {
            let answer = next(&mut told).await;
            assert_eq!(
                (
                    answer.type_url.as_str(),
                    answer.system_version_info.as_str()
                ),
                (kind, "2"),
                "{program}"
            );
        }
        say.send(request(LISTENER)).await.unwrap();
        let end = timeout(LIMIT, told.message())
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(
            (end.code(), end.message()),
            (Code::Unavailable, "the inventory does not answer"),
            "{program}"
        );
        a_new_stream_is_told_what_it_lacks(program, &mut client)
            .await;
    }
}

/// What a stream says next.
async fn next<T>(told: &mut Streaming<T>) -> T {
    timeout(LIMIT, told.message()).await.unwrap().unwrap().unwrap()
}

/// The inventory is back: a new stream is told all of it, but for what it has.
async fn a_new_stream_is_told_what_it_lacks(
    program: &str,
    client: &mut Client<Channel>,
) {
    let mut has = TYPES.map(request);
    has[0].initial_resource_versions.insert(SHOP.into(), "3".into());
    let says = stream::iter(has).chain(stream::pending());
    let mut told = client
        .delta_aggregated_resources(says)
        .await
        .unwrap()
        .into_inner();
    for kind in &TYPES[1..] {
        let answer = next(&mut told).await;
        assert_eq!(
            (
                answer.type_url.as_str(),
                answer.system_version_info.as_str()
            ),
            (*kind, "3"),
            "{program}"
        );
    }
}

#[tokio::test]
async fn the_other_protocol_is_refused() {
    let plane = Plane::start(SIDES[1]);
    let says = stream::iter([Default::default()]);
    let refused = plane
        .client()
        .await
        .stream_aggregated_resources(says)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[test]
fn bad_addresses_and_taken_ports_are_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let bad = [
        (LISTEN, "nowhere"),
        (LISTEN, &taken),
        ("XDS_DELTA_STREAM_SHOP", "round the corner"),
    ];
    for (name, value) in bad {
        let output = Command::new(SIDES[1])
            .args(["--no-console", "--json"])
            .env(name, value)
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.lines().count() == 1 && said.contains(value),
            "{said}"
        );
    }
}
