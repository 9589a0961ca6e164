//! The sides against a real Envoy: fifty reconnects while the inventory is down, and what it serves when the inventory is back.

use std::{
    env, fs, net::SocketAddr, path::PathBuf, process::Stdio,
    time::Duration,
};

use serde_json::Value;
use stage::wire::{Line, Phase, SpawnSite};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

const LEAK: &str = env!("CARGO_BIN_EXE_xds-delta-stream-leak");
const FIX: &str = env!("CARGO_BIN_EXE_xds-delta-stream-fix");
const WRONG: &str = env!("CARGO_BIN_EXE_xds-delta-stream-wrong");
const NO_READER: &str =
    env!("CARGO_BIN_EXE_xds-delta-stream-no-reader");
const RECONNECTS: u64 = 50;
/// No single event takes longer, on a busy machine.
const EVENT_MAX: Duration = Duration::from_secs(60);
/// Between two looks at Envoy's admin page.
const LOOK: Duration = Duration::from_millis(20);

#[tokio::test]
async fn the_leak_keeps_a_reader_for_every_reconnect() {
    let left = outage(LEAK, "leak.rs").await;
    assert!(left.readers >= 48, "{left:?}");
    assert!(left.entries >= 48, "{left:?}");
    let each = left.kib / RECONNECTS;
    assert!(each > 100, "{each} KiB for each: {left:?}");
}

#[tokio::test]
async fn room_for_sixteen_hides_the_readers_and_keeps_the_entries() {
    let left = outage(WRONG, "wrong.rs").await;
    assert!(left.readers <= 2 && left.entries >= 48, "{left:?}");
}

#[tokio::test]
async fn the_fix_keeps_none() {
    let left = outage(FIX, "fix.rs").await;
    assert!(left.readers <= 2 && left.entries <= 2, "{left:?}");
}

#[tokio::test]
async fn without_a_reader_none_is_kept() {
    let left = outage(NO_READER, "no-reader.rs").await;
    assert!(left.readers == 0 && left.entries <= 2, "{left:?}");
}

/// After the outage, with one stream open.
#[derive(Debug)]
struct Left {
    readers: u64,
    entries: u64,
    /// Resident memory, more than before.
    kib: u64,
}

/// An Envoy is configured, loses its stream fifty times, serves all the while, and is given something new at last.
async fn outage(program: &str, source: &str) -> Left {
    let shop = Shop::open().await;
    let mut plane = Plane::start(program, shop.address).await;
    let envoy = Envoy::start(plane.address).await;
    let mut served = 0;
    let report = loop {
        match plane.line().await {
            Line::Sample(sample) if sample.phase == Phase::Load => {
                envoy.serves().await;
                served += 1;
            }
            Line::Report(report) => break report,
            _ => {}
        }
    };
    assert!(
        served > 0,
        "nothing was asked of Envoy during the outage"
    );
    assert_eq!(report.units_done, RECONNECTS);
    assert!(report.units_failed == 0 && report.settled, "{report:?}");
    envoy.is_given("3").await;
    let at = |site: &&SpawnSite| {
        site.location.contains(&format!("xds-delta-stream/{source}"))
    };
    Left {
        readers: report
            .spawned_at
            .iter()
            .filter(at)
            .map(|site| site.alive)
            .sum(),
        entries: report.after["streams"],
        kib: report.after["rss_kib"]
            .saturating_sub(report.before["rss_kib"]),
    }
}

/// A control plane that waits for an Envoy. It ends with the test.
struct Plane {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Plane {
    async fn start(program: &str, shop: SocketAddr) -> Self {
        let mut child = Command::new(program)
            .args([
                "--json",
                "--no-console",
                "--hold",
                "--units",
                &RECONNECTS.to_string(),
            ])
            .env("XDS_DELTA_STREAM_LISTEN", "127.0.0.1:0")
            .env("XDS_DELTA_STREAM_SHOP", shop.to_string())
            // It ends when this is closed, even if the test is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut says =
            BufReader::new(child.stderr.take().unwrap()).lines();
        let first = timeout(EVENT_MAX, says.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let address = first
            .strip_prefix("waiting for an Envoy at ")
            .unwrap_or_else(|| panic!("{first}"));
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            _child: child,
            lines,
            address: address.parse().unwrap(),
        }
    }

    async fn line(&mut self) -> Line {
        let line = timeout(EVENT_MAX, self.lines.next_line())
            .await
            .expect("a line in time");
        serde_json::from_str(&line.unwrap().expect("it runs"))
            .unwrap()
    }
}

/// A real Envoy with the bootstrap of the chapter, on other ports. It ends with the test.
struct Envoy {
    _child: Child,
    _folder: TempDir,
    admin: String,
}

impl Envoy {
    async fn start(plane: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [bootstrap, admin] = ["envoy.yaml", "admin"]
            .map(|name| folder.path().join(name));
        let yaml = include_str!("../envoy.yaml")
            .replace(
                "port_value: 18000",
                &format!("port_value: {}", plane.port()),
            )
            .replace("port_value: 19000", "port_value: 0");
        fs::write(&bootstrap, yaml).unwrap();
        let child = Command::new(envoy())
            .args([
                "--use-dynamic-base-id",
                "--concurrency",
                "1",
                "--log-level",
                "off",
            ])
            .arg("--config-path")
            .arg(bootstrap)
            .arg("--admin-address-path")
            .arg(&admin)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let child =
            child.expect("Envoy is missing: run `scripts/envoy`");
        let admin = until("Envoy's admin page", async || {
            fs::read_to_string(&admin)
                .ok()
                .filter(|address| !address.is_empty())
        });
        Self { _child: child, admin: admin.await, _folder: folder }
    }

    /// A page of the admin interface.
    async fn admin(&self, page: &str) -> Value {
        let page = curl(&[
            "--fail",
            &format!("http://{}/{page}", self.admin),
        ])
        .await;
        serde_json::from_str(&page).unwrap_or(Value::Null)
    }

    /// What a visitor of the listener gets.
    async fn serves(&self) -> String {
        let listeners = self.admin("listeners?format=json").await;
        let port = &listeners["listener_statuses"][0]["local_address"]
            ["socket_address"]["port_value"];
        let reply = curl(&[
            "--include",
            &format!("http://127.0.0.1:{port}/parcels"),
        ])
        .await;
        assert!(
            reply.starts_with("HTTP/1.1 200"),
            "{listeners}: {reply}"
        );
        assert!(
            reply.ends_with("GET /parcels from the shop"),
            "{reply}"
        );
        reply
    }

    /// The cluster and the listener of this revision, in its own words and in what it serves.
    async fn is_given(&self, revision: &str) {
        until("the cluster", async || {
            let dump = self
                .admin("config_dump?resource=dynamic_active_clusters")
                .await;
            let of = &dump["configs"][0];
            (of["cluster"]["name"] == "shop"
                && of["version_info"] == revision)
                .then_some(())
        })
        .await;
        until("the listener", async || {
            let dump = self
                .admin("config_dump?resource=dynamic_listeners")
                .await;
            let of = &dump["configs"][0];
            (of["name"] == "shop" && of["active_state"].is_object())
                .then_some(())
        })
        .await;
        until("a reply of this revision", async || {
            self.serves()
                .await
                .contains(&format!("x-revision: {revision}\r\n"))
                .then_some(())
        })
        .await;
    }
}

/// The one that `ENVOY` names, or what `scripts/envoy` installs.
fn envoy() -> PathBuf {
    let installed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/tools/envoy/envoy"
    );
    env::var_os("ENVOY")
        .map_or_else(|| installed.into(), PathBuf::from)
}

async fn curl(args: &[&str]) -> String {
    let curl = Command::new("curl")
        .args(["--silent", "--max-time", "10"])
        .args(args)
        .kill_on_drop(true)
        .output();
    let output =
        curl.await.expect("curl is missing: `sudo apt install curl`");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Looks until there is something to see.
async fn until<T>(
    what: &str,
    look: impl AsyncFn() -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(LOOK).await;
        }
    };
    timeout(EVENT_MAX, found).await.unwrap_or_else(|_| {
        panic!("{what} did not come in {EVENT_MAX:?}")
    })
}

/// What Envoy forwards to. It ends with the test.
struct Shop {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Shop {
    async fn open() -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, mut server) =
            (listener.local_addr().unwrap(), JoinSet::new());
        server.spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                // One visitor at a time, and one reply to each.
                let _ = timeout(EVENT_MAX, reply(socket)).await;
            }
        });
        Self { address, _server: server }
    }
}

async fn reply(socket: TcpStream) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut asked = String::new();
    socket.read_line(&mut asked).await?;
    let mut header = String::new();
    while header != "\r\n" {
        header.clear();
        if socket.read_line(&mut header).await? == 0 {
            return Ok(());
        }
    }
    let body = format!(
        "{} from the shop",
        asked.trim_end().trim_end_matches(" HTTP/1.1")
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await?;
    socket.shutdown().await
}
