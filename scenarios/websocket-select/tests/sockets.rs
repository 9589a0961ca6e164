//! What the system says of the connections of fans who said goodbye: tokio-tungstenite's client, over TCP.
#![cfg(target_os = "linux")]

#[path = "../world.rs"]
#[expect(dead_code, reason = "the service is another process here")]
mod world;

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

const LEAK: &str = env!("CARGO_BIN_EXE_websocket-select-leak");
const FIX: &str = env!("CARGO_BIN_EXE_websocket-select-fix");
/// No single step takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(60);
const FANS: usize = 20;
/// `ESTABLISHED` and `CLOSE-WAIT` in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
const CLOSE_WAIT: &str = "08";

#[leakcheck::test(deadline = "3m")]
async fn the_fan_hung_up_and_the_leak_never_does() {
    let page = Page::start(LEAK).await;
    page.visits().await;
    page.wait_for(&[CLOSE_WAIT; FANS]).await;
}

#[leakcheck::test(deadline = "3m")]
async fn the_fix_hangs_up_too() {
    let page = Page::start(FIX).await;
    let stays = TcpStream::connect(page.addr).await.unwrap();
    page.wait_for(&[ESTABLISHED]).await;
    page.visits().await;
    page.wait_for(&[ESTABLISHED]).await;
    drop(stays);
}

/// One side, waiting for real fans. It ends with the test.
struct Page {
    _child: Child,
    addr: SocketAddr,
}

impl Page {
    async fn start(bin: &str) -> Self {
        let mut child = Command::new(bin)
            .args(["--json", "--no-console", "--units", "1"])
            .env("WEBSOCKET_SELECT_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let line = lines.read_line(&mut said);
        timeout(LIMIT, line).await.unwrap().unwrap();
        let addr = said.split('/').nth(2).unwrap().parse();
        Self { _child: child, addr: addr.expect("an address") }
    }

    async fn visits(&self) {
        for _ in 0..FANS {
            let socket = TcpStream::connect(self.addr).await;
            world::visit(socket.unwrap()).await.unwrap();
        }
    }

    /// Waits until the connections at this side are in these states.
    async fn wait_for(&self, wanted: &[&str]) {
        let started = Instant::now();
        loop {
            let states = self.states();
            if states == wanted {
                return;
            }
            assert!(started.elapsed() < LIMIT, "{states:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The connections whose near end is the service's port, and which a process has open.
    fn states(&self) -> Vec<String> {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let port = format!(":{:04X}", self.addr.port());
        let state = |line: &str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let is_open = fields[1].ends_with(&port)
                && [ESTABLISHED, CLOSE_WAIT].contains(&fields[3]);
            is_open.then(|| fields[3].to_owned())
        };
        table.lines().skip(1).filter_map(state).collect()
    }
}
