//! What a task may wait for that its runtime does not make.

use std::{
    any::Any,
    fs::{self, OpenOptions},
    io::{Read, Write},
    net::{Shutdown, TcpListener as StdListener, TcpStream as StdStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    sync::oneshot,
    task::spawn_blocking,
    time::sleep,
};

use crate::peer;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `tokio::process`.
    Child,
    /// `std::process` in `spawn_blocking`.
    ChildInBlocking,
    /// `std::process` on a plain thread, which tells by a oneshot.
    ChildOnThread,
    /// An answer over TCP from another process.
    PeerProcess,
    /// An answer over TCP from a thread of this process.
    PeerThread,
    /// A oneshot from a plain thread that sleeps.
    Thread,
    /// A oneshot from a plain thread that reads a socket of another process: a synchronous client.
    ThreadReads,
    /// A closure of `spawn_blocking` that sleeps.
    Blocking,
    /// A closure of `spawn_blocking` that reads a socket of another process.
    BlockingReads,
    /// A name that the machine knows.
    NameKnown,
    /// A name that nobody may have.
    NameUnknown,
    /// A named pipe that another process writes into, read by `tokio::fs`.
    Fifo,
    /// A limit read from the standard library's clock between sleeps on tokio's.
    StdClock,
}

pub(crate) const ALL: [Event; 13] = [
    Event::PeerProcess,
    Event::PeerThread,
    Event::Thread,
    Event::ThreadReads,
    Event::Blocking,
    Event::BlockingReads,
    Event::Fifo,
    Event::NameKnown,
    Event::NameUnknown,
    Event::StdClock,
    Event::Child,
    Event::ChildInBlocking,
    Event::ChildOnThread,
];

/// The pause between two looks at the std clock, and between two looks at a name.
const STEP: Duration = Duration::from_millis(50);

impl Event {
    pub(crate) fn has_child(self) -> bool {
        matches!(self, Self::Child | Self::ChildInBlocking | Self::ChildOnThread)
    }

    /// A name is looked up as fast as the machine can.
    pub(crate) fn is_name(self) -> bool {
        matches!(self, Self::NameKnown | Self::NameUnknown)
    }

    /// How many blocking closures run while the event does not come.
    pub(crate) fn blocking(self) -> usize {
        usize::from(matches!(self, Self::ChildInBlocking | Self::Blocking | Self::BlockingReads | Self::Fifo))
    }

    /// Completes with the event, which comes after a while or never.
    pub(crate) async fn happen(self, after: Option<Duration>, stage: &Stage) {
        match self {
            Self::Child => child(after).await,
            Self::ChildInBlocking => {
                let stage = stage.clone();
                in_closure(move || wait_for_child(after, &stage)).await;
            }
            Self::ChildOnThread => {
                let own = stage.clone();
                on_thread(move || wait_for_child(after, &own)).await;
            }
            Self::PeerProcess => {
                let mut peer = TcpStream::connect(peer::address()).await.expect("the peer listens");
                peer.write_all(format!("{}\n", peer::line(after)).as_bytes()).await.expect("the peer reads");
                peer.read_u8().await.expect("the peer answers");
            }
            Self::PeerThread => {
                let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                let own = stage.clone();
                thread::spawn(move || answer_once(&listener, after, &own));
                TcpStream::connect(address).await.expect("it listens").read_u8().await.expect("the thread answers");
            }
            Self::Thread => {
                let own = stage.clone();
                on_thread(move || own.sleep(after)).await;
            }
            Self::ThreadReads => {
                let own = stage.clone();
                on_thread(move || read_from_peer(after, &own)).await;
            }
            Self::Blocking => {
                let own = stage.clone();
                in_closure(move || own.sleep(after)).await;
            }
            Self::BlockingReads => {
                let own = stage.clone();
                in_closure(move || read_from_peer(after, &own)).await;
            }
            Self::NameKnown => {
                let mut found = lookup_host(("localhost", 80)).await.expect("the machine knows itself");
                assert!(found.next().is_some(), "localhost has an address");
            }
            Self::NameUnknown => {
                // A label has 63 letters at most, so no server is asked.
                let name = format!("{}.invalid", "a".repeat(64));
                assert!(lookup_host((name, 80)).await.is_err(), "nobody may have this name");
            }
            Self::Fifo => {
                if let Some(after) = after {
                    peer::write_into(&stage.fifo, after);
                }
                let read = tokio::fs::read(&*stage.fifo).await.expect("the pipe can be read");
                assert_eq!(read, b"y");
            }
            Self::StdClock => {
                let begun = Instant::now();
                while after.is_none_or(|after| begun.elapsed() < after) {
                    sleep(STEP).await;
                }
            }
        }
    }
}

async fn child(after: Option<Duration>) {
    let seconds = after.unwrap_or(Duration::from_secs(1_000)).as_secs_f64();
    let mut sleeper = tokio::process::Command::new("sleep");
    let status = sleeper.arg(format!("{seconds:.3}")).kill_on_drop(true).status().await.expect("the system starts it");
    assert!(status.success(), "it ends by itself: {status}");
}

/// A child that never ends by itself ends when the stage is cleared: that closes its input.
fn wait_for_child(after: Option<Duration>, stage: &Stage) {
    let mut child = match after {
        Some(after) => Command::new("sleep").arg(format!("{:.3}", after.as_secs_f64())).spawn(),
        None => Command::new("cat").stdin(Stdio::piped()).spawn(),
    }
    .expect("the system starts it");
    stage.hold(child.stdin.take());
    let status = child.wait().expect("it is a child");
    assert!(status.success(), "it ends by itself: {status}");
}

/// Runs the work on a thread of the blocking pool. A runtime that shuts down after the verdict cancels what has not begun.
async fn in_closure(work: impl FnOnce() + Send + 'static) {
    if spawn_blocking(work).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Runs the work on a plain thread, and completes when the thread says so.
async fn on_thread(work: impl FnOnce() + Send + 'static) {
    let (send, answer) = oneshot::channel();
    thread::spawn(move || {
        work();
        // After the verdict nobody listens.
        let _ = send.send(());
    });
    answer.await.expect("the thread answers");
}

fn answer_once(listener: &StdListener, after: Option<Duration>, stage: &Stage) {
    let (mut peer, _) = listener.accept().expect("somebody connects");
    stage.sleep(after);
    // After the verdict nobody listens.
    let _ = peer.write_all(b"y");
}

fn read_from_peer(after: Option<Duration>, stage: &Stage) {
    struct HangUp(StdStream);
    impl Drop for HangUp {
        fn drop(&mut self) {
            let _ = self.0.shutdown(Shutdown::Both);
        }
    }
    let mut peer = peer::tell(&peer::line(after));
    if after.is_none() {
        stage.hold(HangUp(peer.try_clone().expect("a handle more")));
    }
    let answered = peer.read_exact(&mut [0]).is_ok();
    assert!(answered || after.is_none(), "the peer answers");
}

/// What a cell needs from outside, and what has to go when it has its verdict: then threads, closures and children that wait
/// for ever come free.
#[derive(Clone)]
pub(crate) struct Stage {
    held: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
    fifo: Arc<Path>,
}

impl Stage {
    pub(crate) fn set(event: Event) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let fifo = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("outside-{}-{number}", std::process::id()));
        peer::address();
        if event == Event::Fifo {
            peer::make_fifo(&fifo);
        }
        Self { held: Arc::default(), fifo: fifo.into() }
    }

    fn hold<T: Any + Send>(&self, thing: T) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(thing));
    }

    /// Sleeps, or waits until the stage is cleared.
    fn sleep(&self, time: Option<Duration>) {
        match time {
            Some(time) => thread::sleep(time),
            None => {
                let (end, ended) = mpsc::channel::<()>();
                self.hold(end);
                ended.recv().expect_err("nobody sends");
            }
        }
    }

    pub(crate) fn clear(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if self.fifo.exists() {
            // A pipe that is open for both wakes whoever waits for the other end, and waits for nobody itself.
            drop(OpenOptions::new().read(true).write(true).open(&*self.fifo).expect("it is a pipe"));
            fs::remove_file(&*self.fifo).expect("it is ours");
        }
    }
}

/// Waits a little between two looks at a name: a program that asks again and again does not ask without a pause.
pub(crate) async fn pause_between(event: Event) {
    if event.is_name() {
        sleep(STEP).await;
    }
}
