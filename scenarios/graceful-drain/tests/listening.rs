//! Real programs, a real SIGTERM from outside, and a real `curl -N` that listens.

#[path = "../world.rs"]
#[expect(
    dead_code,
    reason = "the load of the stage is not used here"
)]
mod world;

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use world::STOP_LIMIT;

const LEAK: &str = env!("CARGO_BIN_EXE_graceful-drain-leak");
const FIX: &str = env!("CARGO_BIN_EXE_graceful-drain-fix");
const KEEP_ALIVE: &str =
    env!("CARGO_BIN_EXE_graceful-drain-wrong-keep-alive");
const TIMEOUT: &str =
    env!("CARGO_BIN_EXE_graceful-drain-wrong-timeout");

/// No single step takes longer.
const LIMIT: Duration = Duration::from_secs(20);
/// What `curl` says when an answer is cut: "transferred a partial file".
const CUT: i32 = 18;

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("if it is curl: `sudo apt install curl`");
        let stdout = child.stdout.take().unwrap();
        Self { child, lines: BufReader::new(stdout).lines() }
    }

    async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await;
        line.expect("it says nothing").unwrap().expect("it ended")
    }

    fn send(&self, signal: Signal) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    async fn end(&mut self) -> ExitStatus {
        let status = timeout(LIMIT, self.child.wait()).await;
        status.expect("it runs on").unwrap()
    }
}

/// A server, and a `curl` that has had the first event.
async fn listening(program: &str) -> (Process, Process) {
    let mut server =
        Process::start(Command::new(program).arg("serve"));
    let addr: SocketAddr = server.line().await.parse().unwrap();
    let url = format!("http://{addr}/events");
    let mut curl = Command::new("curl");
    let mut curl =
        Process::start(curl.args(["-sSN", "--max-time", "60", &url]));
    assert_eq!(curl.line().await, "data: 100");
    (server, curl)
}

/// Sends SIGTERM. None if the server has not ended when the supervisor loses patience.
async fn sigterm(server: &mut Process) -> Option<Duration> {
    let sent = Instant::now();
    server.send(Signal::TERM);
    let status =
        timeout(STOP_LIMIT, server.child.wait()).await.ok()?;
    assert!(status.unwrap().success());
    Some(sent.elapsed())
}

#[leakcheck::test(deadline = "2m")]
async fn one_curl_keeps_the_drain_waiting_until_it_hangs_up() {
    let (mut server, mut curl) = listening(LEAK).await;
    assert_eq!(sigterm(&mut server).await, None);
    curl.send(Signal::TERM);
    curl.end().await;
    assert!(server.end().await.success());
}

#[leakcheck::test(deadline = "2m")]
async fn comments_keep_the_drain_waiting_too() {
    let (mut server, mut curl) = listening(KEEP_ALIVE).await;
    assert_eq!(sigterm(&mut server).await, None);
    // They came all the while that the drain was waiting.
    for _ in 0..STOP_LIMIT.as_millis() / 50 {
        let line = curl.line().await;
        assert!(line.is_empty() || line == ":", "{line}");
    }
    server.send(Signal::KILL);
    server.end().await;
    assert_eq!(curl.end().await.code(), Some(CUT));
}

#[leakcheck::test(deadline = "2m")]
async fn a_stream_that_ends_with_the_server_lets_it_go_and_ends_well()
{
    let (mut server, mut curl) = listening(FIX).await;
    let took = sigterm(&mut server).await.expect("late");
    assert_eq!(curl.end().await.code(), Some(0));
    println!("exit after {} ms", took.as_millis());
}

#[leakcheck::test(deadline = "2m")]
async fn a_limit_on_the_wait_alone_cuts_the_stream() {
    let (mut server, mut curl) = listening(TIMEOUT).await;
    let took = sigterm(&mut server).await.expect("late");
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert_eq!(curl.end().await.code(), Some(CUT));
}
