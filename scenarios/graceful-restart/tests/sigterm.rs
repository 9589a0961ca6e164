//! Real programs, a real SIGTERM from outside, real `curl`s connected.
//!
//! `LAB_SIGTERMS=50 cargo test --test sigterm -- --nocapture` sends fifty at random moments; without it, ten.

#[path = "../outbox.rs"]
#[expect(dead_code, reason = "the tests only read the journal")]
mod outbox;
#[path = "../world.rs"]
#[expect(
    dead_code,
    reason = "the load of the stage is not used here"
)]
mod world;

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    process::{ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use outbox::{Replayed, journal_in, replay};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};
use world::{
    STOP_LIMIT,
    provider::{Pace, Provider},
};

const LEAK: &str = env!("CARGO_BIN_EXE_graceful-restart-leak");
const FIX: &str = env!("CARGO_BIN_EXE_graceful-restart-fix");
const WRONG_JOIN: &str =
    env!("CARGO_BIN_EXE_graceful-restart-wrong-join");
const TOKEN_ONLY: &str =
    env!("CARGO_BIN_EXE_graceful-restart-token-only");
const ABORT: &str = env!("CARGO_BIN_EXE_graceful-restart-abort");

/// No single step takes longer.
const LIMIT: Duration = Duration::from_secs(20);
/// An exit is late that waits for a stuck batch or for a caller. One that
/// waits for the processor alone, on a busy machine, is not.
const LATE: Duration = STOP_LIMIT.saturating_mul(2);
/// So slow that a batch is under way most of the time.
const BUSY: Pace = pace(30, 10);
/// The middle of a batch is longer than a batch may take.
const STUCK: Pace = pace(5_000, 2);
const SIGTERMS: u64 = 10;
const CURLS: u64 = 3;
/// So many times ten moments hit a batch, for certain enough.
const TRIES: u64 = 20;

const fn pace(middle: u64, other: u64) -> Pace {
    Pace {
        middle: Duration::from_millis(middle),
        other: Duration::from_millis(other),
    }
}

/// A journal and a provider, which outlive every instance of the service.
struct Home {
    dir: TempDir,
    provider: Provider,
}

/// One process.
struct Instance {
    child: Child,
    addr: SocketAddr,
    /// Batches that it found half pushed.
    torn: u64,
}

struct Exit {
    took: Duration,
    status: ExitStatus,
}

impl Home {
    async fn new(pace: Pace) -> Self {
        let provider = Provider::start(pace).await.unwrap();
        Self { dir: tempfile::tempdir().unwrap(), provider }
    }

    /// Starts a program and waits until it says where it is.
    async fn start(&self, program: &str) -> Instance {
        let mut child = Command::new(program)
            .arg("serve")
            .arg(self.dir.path())
            .arg(self.provider.addr.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(LIMIT, lines.next_line()).await;
        let line = line.expect("it says nothing").unwrap().unwrap();
        let (addr, torn) = line.split_once(" torn ").unwrap();
        let (addr, torn) =
            (addr.parse().unwrap(), torn.parse().unwrap());
        Instance { child, addr, torn }
    }

    /// Starts a program, asks it for eight pushes, and returns when four are made and the provider thinks about the fourth.
    async fn start_with_half_a_batch(
        &self,
        program: &str,
    ) -> Instance {
        let instance = self.start(program).await;
        instance.accept("0,1,2,3,4,5,6,7").await;
        self.provider.books().half().await.unwrap();
        instance
    }

    /// What the last instance left in the journal.
    fn journal(&self) -> Replayed {
        let journal = fs::read(journal_in(self.dir.path())).unwrap();
        replay(&journal).unwrap()
    }

    /// Waits until everything that was asked for is pushed, by an instance that is stopped afterwards.
    async fn push_the_rest(
        &self,
        program: &str,
        ids: impl IntoIterator<Item = u64>,
    ) -> u64 {
        let instance = self.start(program).await;
        let torn = instance.torn;
        self.provider.books().have_all(ids).await.unwrap();
        instance.signal(Signal::TERM).await;
        torn
    }
}

impl Instance {
    async fn accept(&self, ids: &str) {
        let url = format!("http://{}/notify/{ids}", self.addr);
        let Output { stdout, .. } =
            curl(&["-X", "POST", &url]).output().await.unwrap();
        let said = String::from_utf8_lossy(&stdout);
        assert!(said.starts_with("202 "), "{said}");
    }

    fn send(&self, signal: Signal) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    async fn signal(mut self, signal: Signal) -> Exit {
        let sent = Instant::now();
        self.send(signal);
        let status = timeout(LIMIT, self.child.wait()).await;
        let status = status.expect("it runs on").unwrap();
        Exit { took: sent.elapsed(), status }
    }
}

/// A `curl` that says the status of every request, and the address. It ends at the first request that nobody answers.
fn curl(args: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--fail-early", "--max-time", "20"])
        .args(["--output", "/dev/null"])
        .args(["--write-out", "%{http_code} %{url_effective}\n"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let found = std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_ok();
    assert!(found, "curl is missing: `sudo apt install curl`");
    command
}

/// A `curl` that asks for pushes on one connection, 10 in a second, until the service is gone.
fn caller(service: SocketAddr, first: u64) -> Child {
    let last = first + 9_999;
    let url = format!("http://{service}/notify/[{first}-{last}]");
    curl(&["-X", "POST", "--rate", "10/s", &url]).spawn().unwrap()
}

/// What a `curl` was told is accepted.
async fn accepted(caller: Child) -> Vec<u64> {
    let output = timeout(LIMIT, caller.wait_with_output()).await;
    let output = output.expect("curl runs on").unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let told = |line: &str| {
        let url = line.strip_prefix("202 ")?;
        url.rsplit_once('/')?.1.parse().ok()
    };
    said.lines().filter_map(told).collect()
}

/// Anything below `limit`, different in every run.
fn random(limit: Duration) -> Duration {
    let number = RandomState::new().hash_one(0) % 1_000;
    limit.mul_f64(number as f64 / 1_000.0)
}

/// What SIGTERMs did to a program.
#[derive(Debug, Default)]
struct Tally {
    in_mid_batch: u64,
    torn: u64,
    repeated: u64,
    late: u64,
    accepted: usize,
    slowest: Duration,
}

/// Starts a program again and again on one journal, with `curl`s connected, and sends SIGTERM at a random moment.
async fn sigterms(program: &str) -> Tally {
    let asked = std::env::var("LAB_SIGTERMS").ok();
    let rounds =
        asked.map_or(SIGTERMS, |number| number.parse().unwrap());
    let home = Home::new(BUSY).await;
    let (books, mut told) = (home.provider.books(), Vec::new());
    let mut tally = Tally::default();
    for round in 0..rounds {
        let instance = home.start(program).await;
        let first = |curl| round * 1_000_000 + curl * 100_000;
        let callers: Vec<_> = (0..CURLS)
            .map(|curl| caller(instance.addr, first(curl)))
            .collect();
        while !books.has(first(0)) {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(random(Duration::from_millis(300))).await;
        tally.in_mid_batch += u64::from(books.in_a_batch());
        let exit = instance.signal(Signal::TERM).await;
        assert!(exit.status.success(), "round {round}");
        tally.late += u64::from(exit.took > LATE);
        tally.slowest = tally.slowest.max(exit.took);
        let left = home.journal();
        tally.torn += left.torn_batches + u64::from(left.torn_write);
        for caller in callers {
            told.extend(accepted(caller).await);
        }
    }
    tally.accepted = told.len();
    // Nothing that a caller was told is accepted is ever lost.
    home.push_the_rest(program, told).await;
    tally.repeated = books.repeated();
    println!("{rounds} SIGTERMs to {program}: {tally:?}");
    tally
}

#[leakcheck::test(deadline = "10m")]
async fn a_sigterm_at_any_moment_tears_nothing_repeats_nothing_and_is_not_late()
 {
    let fix = sigterms(FIX).await;
    assert_eq!((fix.torn, fix.repeated, fix.late), (0, 0, 0));
}

/// Random moments until one meets a batch, and a program that must fail: what counts is able to count.
#[leakcheck::test(deadline = "10m")]
async fn the_same_sigterms_tear_the_batches_of_a_pusher_that_is_not_told()
 {
    for _ in 0..TRIES {
        let leak = sigterms(LEAK).await;
        if leak.torn > 0 && leak.repeated > 0 {
            return;
        }
        // Ten moments may all have fallen between two batches.
    }
    panic!("no SIGTERM tore a batch and had it repeated");
}

#[leakcheck::test(deadline = "2m")]
async fn a_service_that_does_not_wait_for_its_pusher_tears_a_batch_and_repeats_it()
 {
    for program in [LEAK, TOKEN_ONLY, ABORT] {
        let home = Home::new(STUCK).await;
        let instance = home.start_with_half_a_batch(program).await;
        let exit = instance.signal(Signal::TERM).await;
        assert!(exit.status.success(), "it says that all is well");
        assert_eq!(home.journal().torn_batches, 1);
        assert_eq!(home.push_the_rest(program, 0..8).await, 1);
        assert_eq!(home.provider.books().repeated(), 4);
    }
}

#[leakcheck::test(deadline = "2m")]
async fn a_service_that_waits_for_what_nobody_told_is_killed_and_torn()
 {
    let home = Home::new(pace(500, 2)).await;
    let mut instance = home.start(WRONG_JOIN).await;
    let ids: Vec<_> = (0..100).map(|id| id.to_string()).collect();
    instance.accept(&ids.join(",")).await;
    let books = home.provider.books();
    books.half().await.unwrap();
    instance.send(Signal::TERM);
    let ended = timeout(STOP_LIMIT, instance.child.wait()).await;
    assert!(ended.is_err(), "it ended by itself");
    // The provider may have said so before: the second time is now.
    books.half().await.unwrap();
    books.half().await.unwrap();
    instance.signal(Signal::KILL).await;
    assert_eq!(home.journal().torn_batches, 1);
}

#[leakcheck::test(deadline = "2m")]
async fn a_killed_service_repeats_half_a_batch_and_loses_nothing() {
    let home = Home::new(STUCK).await;
    let instance = home.start_with_half_a_batch(FIX).await;
    instance.signal(Signal::KILL).await;
    assert_eq!(home.journal().torn_batches, 1);
    assert_eq!(home.push_the_rest(FIX, 0..8).await, 1);
    assert_eq!(home.provider.books().repeated(), 4);
}

#[leakcheck::test(deadline = "2m")]
async fn a_provider_that_does_not_answer_cannot_make_the_exit_late() {
    let home = Home::new(STUCK).await;
    let instance = home.start(FIX).await;
    instance.accept("0,1,2,3").await;
    home.provider.books().half().await.unwrap();
    let exit = instance.signal(Signal::TERM).await;
    assert!(exit.took < LATE, "{:?}", exit.took);
    assert!(exit.status.success());
    let left = home.journal();
    assert_eq!((left.torn_batches, left.waiting), (0, vec![3]));
    assert_eq!(home.push_the_rest(FIX, 0..4).await, 0);
    let repeated = home.provider.books().repeated();
    assert_eq!(repeated, 1, "the push that was taken unanswered");
}

#[leakcheck::test(deadline = "2m")]
async fn a_caller_that_stops_in_mid_request_cannot_make_the_exit_late()
 {
    let home = Home::new(BUSY).await;
    let instance = home.start_with_half_a_batch(FIX).await;
    let mut half = TcpStream::connect(instance.addr).await.unwrap();
    half.write_all(b"POST /notify/9 HTTP/1.1\r\n").await.unwrap();
    instance.accept("8").await;
    let exit = instance.signal(Signal::TERM).await;
    assert!(exit.took < LATE, "{:?}", exit.took);
    assert!(!exit.status.success(), "it says what it left");
    let left = home.journal();
    assert_eq!((left.torn_batches, left.torn_write), (0, false));
    drop(half);
}
