//! The 20 negative controls on which Go's detectors were measured, in Tokio's terms. goleak blamed 12 of them, the
//! `goroutineleak` profile 2. Here only the four daemons may be reported, and none of them once it is declared.

use std::{
    future::pending,
    pin::Pin,
    sync::{
        Arc, Mutex as StdMutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    signal::unix::{SignalKind, signal},
    sync::{Mutex, mpsc},
    task::{JoinHandle, JoinSet, yield_now},
    time::{Sleep, interval, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    harness::{Load, assert_none, find, in_parallel, noise, repeats},
    programs::{Body, EVERYWHERE, Flavor, REAL_TIME},
};

/// One row of the table.
struct Control {
    /// The row's name in Go.
    go: &'static str,
    flavors: &'static [Flavor],
    run: fn() -> Body,
    /// The same program with its daemon declared, for a program that has one. A daemon that is not declared is reported.
    declared: Option<fn() -> Body>,
}

const fn quiet(go: &'static str, flavors: &'static [Flavor], run: fn() -> Body) -> Control {
    Control { go, flavors, run, declared: None }
}

const fn daemon(go: &'static str, run: fn() -> Body, declared: fn() -> Body) -> Control {
    Control { go, flavors: EVERYWHERE, run, declared: Some(declared) }
}

const CONTROLS: [Control; 20] = [
    quiet("goroutine ends after 60 ms", EVERYWHERE, || ends_after(60)),
    quiet("goroutine ends after 300 ms", EVERYWHERE, || ends_after(300)),
    quiet("ends after 1 s", EVERYWHERE, || ends_after(1_000)),
    quiet("waits for a 2 s context", EVERYWHERE, || Box::pin(token_cancelled_after_2_s())),
    quiet("lock held 1 s by real work", EVERYWHERE, || Box::pin(lock_held_by_real_work())),
    daemon(
        "daemon on a global channel",
        || Box::pin(async { drop(global_channel_daemon()) }),
        || Box::pin(async { drop(leakcheck::daemon("jobs", global_channel_daemon)) }),
    ),
    daemon(
        "ticker daemon",
        || Box::pin(async { drop(tokio::spawn(tick())) }),
        || Box::pin(async { drop(leakcheck::daemon("ticker", || tokio::spawn(tick()))) }),
    ),
    daemon(
        "`signal.Notify` waiter",
        || Box::pin(async { drop(signal_waiter()) }),
        || Box::pin(async { drop(leakcheck::daemon("reload", signal_waiter)) }),
    ),
    daemon(
        "intended `select {}` daemon",
        || Box::pin(async { drop(tokio::spawn(pending::<()>())) }),
        || Box::pin(async { drop(leakcheck::daemon("keeper", || tokio::spawn(pending::<()>()))) }),
    ),
    quiet("HTTP keep-alive, idle", EVERYWHERE, || Box::pin(keep_alive_idle())),
    quiet("HTTP keep-alive, after `CloseIdleConnections`", EVERYWHERE, || Box::pin(keep_alive_closed())),
    quiet("httptest server closed", EVERYWHERE, || Box::pin(test_server_closed())),
    quiet("pool closed and joined", EVERYWHERE, || Box::pin(pool_closed_and_joined())),
    quiet("context cancelled", EVERYWHERE, || Box::pin(token_cancelled())),
    quiet("`AfterFunc` pending", REAL_TIME, || Box::pin(timer_pending())),
    quiet("exec waited", EVERYWHERE, || Box::pin(process_waited())),
    quiet("open `sql.DB`", EVERYWHERE, || Box::pin(open_database())),
    quiet("finalizer would end it", EVERYWHERE, || Box::pin(drop_ends_it())),
    quiet("`AddCleanup` would end it", EVERYWHERE, || Box::pin(guard_beside_the_object_ends_it())),
    quiet("waker keeps only a `weak.Pointer`", EVERYWHERE, || Box::pin(waker_keeps_a_weak_pointer())),
];

fn ends_after(milliseconds: u64) -> Body {
    Box::pin(async move { drop(tokio::spawn(sleep(Duration::from_millis(milliseconds)))) })
}

/// A `context.WithTimeout` is a token and a task that cancels it in time.
async fn token_cancelled_after_2_s() {
    let token = CancellationToken::new();
    tokio::spawn(token.clone().cancelled_owned());
    tokio::spawn(async move {
        sleep(Duration::from_secs(2)).await;
        token.cancel();
    });
}

/// One task works the processor for a second, in slices, and ten are parked on its lock.
async fn lock_held_by_real_work() {
    let lock = Arc::new(Mutex::new(0));
    let mut held = lock.clone().lock_owned().await;
    tokio::spawn(async move {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            *held += 1;
            if *held % 1_000 == 0 {
                yield_now().await;
            }
        }
    });
    for _ in 0..10 {
        let lock = lock.clone();
        tokio::spawn(async move { drop(lock.lock().await) });
    }
}

/// The sender is in a static, as in a service whose log goes through one task: the channel never closes.
fn global_channel_daemon() -> JoinHandle<()> {
    static SENDERS: StdMutex<Vec<mpsc::Sender<()>>> = StdMutex::new(Vec::new());
    let (jobs, mut inbox) = mpsc::channel(1);
    let mut senders = SENDERS.lock().unwrap();
    // Tasks of earlier runs, whose runtimes are gone.
    senders.retain(|sender| !sender.is_closed());
    senders.push(jobs);
    tokio::spawn(async move { while inbox.recv().await.is_some() {} })
}

async fn tick() {
    let mut ticks = interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
    }
}

fn signal_waiter() -> JoinHandle<()> {
    let mut reload = signal(SignalKind::user_defined2()).unwrap();
    tokio::spawn(async move { while reload.recv().await.is_some() {} })
}

/// A client that keeps its connection: a task that writes and one that reads, and a third on the server's side.
struct Client {
    requests: mpsc::Sender<u8>,
    answers: mpsc::Receiver<u8>,
}

impl Client {
    async fn connect() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { while let Ok(1..) = echo_one(&mut server).await {} });
        let ((requests, mut to_send), (received, answers)) = (mpsc::channel(1), mpsc::channel(1));
        let (mut reader, mut writer) = stream.into_split();
        // The half that writes closes the connection for both when it is dropped.
        tokio::spawn(async move {
            while let Some(byte) = to_send.recv().await
                && writer.write_u8(byte).await.is_ok()
            {}
        });
        tokio::spawn(async move {
            while let Ok(byte) = reader.read_u8().await
                && received.send(byte).await.is_ok()
            {}
        });
        Self { requests, answers }
    }

    async fn ask(&mut self, byte: u8) -> u8 {
        self.requests.send(byte).await.unwrap();
        self.answers.recv().await.unwrap()
    }
}

async fn echo_one(stream: &mut TcpStream) -> std::io::Result<usize> {
    let mut byte = [0];
    let read = stream.read(&mut byte).await?;
    stream.write_all(&byte[..read]).await?;
    Ok(read)
}

/// In Go the idle connection belongs to a global transport. In Rust it belongs to the client, and ends with it when the
/// body returns, though nobody closes it.
async fn keep_alive_idle() {
    let mut client = Client::connect().await;
    assert_eq!(client.ask(7).await, 7);
}

async fn keep_alive_closed() {
    let mut client = Client::connect().await;
    assert_eq!(client.ask(7).await, 7);
    let Client { requests, mut answers } = client;
    drop(requests);
    assert_eq!(answers.recv().await, None);
}

async fn test_server_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move { while let Ok(1..) = echo_one(&mut stream).await {} });
        }
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_u8(7).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), 7);
    // `Server.Close`: the accept loop and its connections.
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
}

async fn pool_closed_and_joined() {
    let (jobs, inbox) = async_channel::bounded(4);
    let mut pool = JoinSet::new();
    for _ in 0..4 {
        let inbox = inbox.clone();
        pool.spawn(async move { while inbox.recv().await.is_ok() {} });
    }
    for job in 0..20 {
        jobs.send(job).await.unwrap();
    }
    jobs.close();
    pool.join_all().await;
}

async fn token_cancelled() {
    let token = CancellationToken::new();
    for _ in 0..5 {
        tokio::spawn(token.child_token().cancelled_owned());
    }
    yield_now().await;
    token.cancel();
}

/// A timer is no task: an hour is still to go on this one, and a static keeps it beyond the body.
async fn timer_pending() {
    static TIMER: StdMutex<Option<Pin<Box<Sleep>>>> = StdMutex::new(None);
    let mut timer = Box::pin(sleep(Duration::from_secs(3600)));
    // Polled once, or it would not be registered.
    tokio::select! {
        biased;
        () = &mut timer => panic!("the hour is over"),
        () = std::future::ready(()) => {}
    }
    *TIMER.lock().unwrap() = Some(timer);
}

async fn process_waited() {
    let child = Command::new("true").spawn().unwrap();
    let waiter = tokio::spawn(async move { child.wait_with_output().await.unwrap().status.success() });
    assert!(waiter.await.unwrap());
}

/// `sql.DB` keeps a goroutine that opens connections until `Close`. In Rust nobody need call `close`: the end of the
/// handle is the end of the channel, and so of the task.
async fn open_database() {
    struct Database {
        open: mpsc::Sender<()>,
    }
    let (open, mut wanted) = mpsc::channel(16);
    tokio::spawn(async move { while wanted.recv().await.is_some() {} });
    let database = Database { open };
    database.open.send(()).await.unwrap();
}

/// A finalizer's nearest relative is `Drop`. It runs at a known time: when the last of the owners is dropped.
async fn drop_ends_it() {
    struct Owner(CancellationToken);
    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let token = CancellationToken::new();
    tokio::spawn(token.clone().cancelled_owned());
    let owner = Arc::new(Owner(token));
    let _second = owner.clone();
    yield_now().await;
}

/// `AddCleanup` ties a function to an object it does not know. Nearest in Rust: a guard kept beside it.
async fn guard_beside_the_object_ends_it() {
    struct Attached<T> {
        object: T,
        _cleanup: DropGuard,
    }
    let token = CancellationToken::new();
    tokio::spawn(token.clone().cancelled_owned());
    let attached = Attached { object: vec![1, 2, 3], _cleanup: token.drop_guard() };
    yield_now().await;
    assert_eq!(attached.object.len(), 3);
}

/// Two tasks that wait for a waker which only holds them weakly: one through `WeakSender`, one through `Weak`.
/// In Go the garbage collector is wrong about them, and crashes. In Rust the weak side just finds nobody.
async fn waker_keeps_a_weak_pointer() {
    let (wake, mut woken) = mpsc::channel::<()>(1);
    let weak_wake = wake.downgrade();
    tokio::spawn(async move { while woken.recv().await.is_some() {} });
    let state = Arc::new(AtomicU32::new(0));
    let weak_state: Weak<AtomicU32> = Arc::downgrade(&state);
    tokio::spawn(async move {
        while let Some(state) = weak_state.upgrade() {
            state.fetch_add(1, Ordering::Relaxed);
            drop(state);
            sleep(Duration::from_millis(10)).await;
        }
    });
    weak_wake.upgrade().unwrap().send(()).await.unwrap();
    yield_now().await;
}

/// The row on each of its flavors, as often as asked.
fn rows(runs: usize) -> Vec<(&'static Control, Flavor)> {
    static TABLE: [Control; 20] = CONTROLS;
    let once = TABLE.iter().flat_map(|row| row.flavors.iter().map(move |flavor| (row, *flavor)));
    let once: Vec<_> = once.collect();
    once.iter().cycle().take(once.len() * runs).copied().collect()
}

#[test]
fn only_undeclared_daemons_are_reported() {
    let _load = Load::if_asked();
    let rows = rows(repeats("LEAKCHECK_RUNS", 2));
    let wrong = in_parallel(&rows, |(row, flavor)| {
        let found = find(*flavor, &[], row.run);
        let problem = match row.declared {
            None => noise(&found)?,
            Some(_) if found.report.tasks() == 1 => return None,
            Some(_) => format!("one daemon, and this was reported:\n{}", found.report),
        };
        Some(format!("{} on {flavor:?}: {problem}", row.go))
    });
    assert_none(&wrong, rows.len());
}

#[test]
fn a_declared_daemon_may_stay() {
    let mut daemons = rows(repeats("LEAKCHECK_RUNS", 2));
    daemons.retain(|(row, _)| row.declared.is_some());
    let wrong = in_parallel(&daemons, |(row, flavor)| {
        let found = find(*flavor, &[], row.declared?);
        let problem = noise(&found).or_else(|| found.report.allowed.is_empty().then(|| "not counted".into()))?;
        Some(format!("{} on {flavor:?}: {problem}", row.go))
    });
    assert_none(&wrong, daemons.len());
}
