//! One parked task in each kind of wait.

use std::{future::pending, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::{
        Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc,
        oneshot, watch,
    },
    task::JoinSet,
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);

/// Parks them all; returns tokio's ids of the tasks by their waits.
pub(crate) async fn open() -> anyhow::Result<Value> {
    let mut zoo = Zoo::default();
    channels(&mut zoo).await?;
    locks(&mut zoo).await;
    signals(&mut zoo);
    tasks(&mut zoo);
    timers(&mut zoo).await;
    sockets(&mut zoo).await?;
    Ok(zoo.ids.into())
}

#[derive(Default)]
struct Zoo {
    ids: Map<String, Value>,
}

impl Zoo {
    fn park<W>(&mut self, name: &str, wait: W)
    where
        W: Future<Output: Send> + Send + 'static,
    {
        let id = tokio::spawn(wait).id().to_string();
        self.ids.insert(name.into(), id.into());
    }
}

/// What a task waits on lives as long as the process.
fn keep<T>(other_end: T) {
    std::mem::forget(other_end);
}

async fn channels(zoo: &mut Zoo) -> anyhow::Result<()> {
    let (tx, unread) = mpsc::channel(1);
    tx.send(0).await?; // Full.
    zoo.park("mpsc_send", async move { tx.send(1).await });
    let (idle, mut rx) = mpsc::channel::<u8>(1);
    zoo.park("mpsc_recv", async move { rx.recv().await });
    let (answer, reply) = oneshot::channel::<u8>();
    zoo.park("oneshot", reply);
    let (value, mut rx) = watch::channel(0);
    zoo.park("watch", async move { rx.changed().await });
    let (news, mut rx) = broadcast::channel::<u8>(1);
    zoo.park("broadcast", async move { rx.recv().await });
    keep((unread, idle, answer, value, news));
    Ok(())
}

async fn locks(zoo: &mut Zoo) {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.clone().lock_owned().await;
    zoo.park("mutex", lock.lock_owned());
    let lock = Arc::new(RwLock::new(()));
    let written = lock.clone().write_owned().await;
    zoo.park("rwlock", lock.read_owned());
    let none = Arc::new(Semaphore::new(0));
    zoo.park("semaphore", none.acquire_owned());
    keep((held, written));
}

fn signals(zoo: &mut Zoo) {
    let four = Barrier::new(4);
    zoo.park("barrier", async move { four.wait().await });
    let bell = Notify::new();
    zoo.park("notify", async move { bell.notified().await });
    let token = CancellationToken::new();
    let cancelled = token.clone().cancelled_owned();
    zoo.park("cancellation_token", cancelled);
    keep(token);
}

fn tasks(zoo: &mut Zoo) {
    zoo.park("pending", pending::<()>());
    let child = tokio::spawn(pending::<()>());
    zoo.park("join_handle", child);
    let mut set = JoinSet::new();
    set.spawn(pending::<()>());
    zoo.park("join_set", async move { set.join_next().await });
}

async fn timers(zoo: &mut Zoo) {
    zoo.park("sleep", sleep(HOUR));
    let mut ticks = interval(HOUR);
    ticks.tick().await; // The first comes at once.
    zoo.park("interval", async move { ticks.tick().await });
}

async fn sockets(zoo: &mut Zoo) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let mut client = TcpStream::connect(addr).await?;
    let (peer, _) = listener.accept().await?;
    zoo.park(
        "tcp_read",
        async move { client.read(&mut [0; 1]).await },
    );
    zoo.park("tcp_accept", async move { listener.accept().await });
    keep(peer);
    Ok(())
}
