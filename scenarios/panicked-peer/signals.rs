//! Who waits for ever when the one who had to give the signal panics, and who learns of it, as a table.
//!
//! Run it: `cargo run --example panicked-peer-signals`

use std::{
    future::Future, panic::resume_unwind, pin::Pin, sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{
        Barrier, Mutex, Notify, Semaphore, broadcast, mpsc, oneshot,
        watch,
    },
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

/// A panicked peer's future, and those who wait for it: each says what its wait returned.
type Peer = Pin<Box<dyn Future<Output = ()> + Send>>;
type Waiter = Pin<Box<dyn Future<Output = String> + Send>>;

async fn table() -> String {
    let rows = [
        ("`Barrier`", barrier()),
        ("`Notify`, `notify_waiters()`", notify()),
        ("`CancellationToken`, `cancel()`", token()),
        ("`Semaphore`, `add_permits(3)`", permits_to_give()),
        ("`watch`, each task has a sender", watch_shared()),
        ("`mpsc`, the receiver's task has a sender too", mpsc_kept()),
        ("`watch`, one sender", watch_owned()),
        ("`broadcast`, one sender", broadcast_owned()),
        ("`mpsc`, one sender", mpsc_owned()),
        ("`oneshot`", oneshot_owned()),
        ("its `JoinHandle`", joined()),
        ("`CancellationToken`, a `DropGuard`", drop_guard()),
        ("`Semaphore`, `drop(permit)`", permit_held()),
        ("tokio's `Mutex`, its lock", lock_held()),
        ("`std`'s `Mutex`, its lock", std_lock_held()),
    ];
    let head = "| the signal that a panicked task owed | wait for ever | what the wait returns |";
    let mut table = format!("{head}\n|---|--:|---|\n");
    for (what, (peer, waiters)) in rows {
        let (stranded, learned) = watch_them(peer, waiters).await;
        table += &format!("| {what} | {stranded} | {learned} |\n");
    }
    table
}

// ANCHOR: watch
/// Starts those who wait, and then the peer they wait for.
async fn watch_them(
    peer: Peer,
    waiters: Vec<Waiter>,
) -> (String, String) {
    let mut waiting: JoinSet<_> = waiters.into_iter().collect();
    let all = waiting.len();
    sleep(Duration::from_secs(1)).await;
    let _ = tokio::spawn(peer).await;
    // The clock is paused: an hour passes when nothing can move.
    sleep(Duration::from_secs(3600)).await;
    let mut learned = Vec::new();
    while let Some(end) = waiting.try_join_next() {
        learned.push(end.unwrap_or_else(|error| error.to_string()));
    }
    let stranded = format!("{} of {all}", waiting.len());
    learned.dedup();
    if learned.is_empty() {
        learned.push("nothing".to_owned());
    }
    (stranded, learned.join(", "))
}
// ANCHOR_END: watch

/// Panics with everything that `held` has, before any of it is used. Silent: no hook runs.
fn panics<H: Send + 'static>(held: H) -> Peer {
    Box::pin(async move {
        let _held = held;
        resume_unwind(Box::new("bug"));
    })
}

fn three<F>(mut waiter: impl FnMut() -> F) -> Vec<Waiter>
where
    F: Future<Output = String> + Send + 'static,
{
    (0..3).map(|_| Box::pin(waiter()) as Waiter).collect()
}

fn said(returned: impl std::fmt::Debug) -> String {
    format!("`{returned:?}`")
}

fn barrier() -> (Peer, Vec<Waiter>) {
    let meeting = Arc::new(Barrier::new(4));
    let waiters = three(|| {
        let meeting = meeting.clone();
        async move { said(meeting.wait().await) }
    });
    (panics(meeting), waiters)
}

fn notify() -> (Peer, Vec<Waiter>) {
    let bell = Arc::new(Notify::new());
    let waiters = three(|| {
        let bell = bell.clone();
        async move {
            bell.notified().await;
            said(())
        }
    });
    (panics(bell), waiters)
}

fn token() -> (Peer, Vec<Waiter>) {
    let token = CancellationToken::new();
    let waiters = on_token(&token);
    (panics(token), waiters)
}

fn drop_guard() -> (Peer, Vec<Waiter>) {
    let token = CancellationToken::new();
    let waiters = on_token(&token);
    (panics(token.drop_guard()), waiters)
}

fn on_token(token: &CancellationToken) -> Vec<Waiter> {
    three(|| {
        let token = token.clone();
        async move {
            token.cancelled().await;
            said(())
        }
    })
}

fn permits_to_give() -> (Peer, Vec<Waiter>) {
    let permits = Arc::new(Semaphore::new(0));
    (panics(permits.clone()), on_permits(&permits))
}

fn permit_held() -> (Peer, Vec<Waiter>) {
    let permits = Arc::new(Semaphore::new(1));
    let held = permits.clone().try_acquire_owned().unwrap();
    let peer = async move {
        panics(()).await;
        drop(held);
    };
    (Box::pin(peer), on_permits(&permits))
}

fn on_permits(permits: &Arc<Semaphore>) -> Vec<Waiter> {
    three(|| {
        let permits = permits.clone();
        async move { said(permits.acquire().await.map(drop)) }
    })
}

/// What a peer that does not panic would send.
const DONE: u8 = 1;

fn watch_shared() -> (Peer, Vec<Waiter>) {
    let tx = watch::Sender::new(0);
    let waiters = three(|| {
        let tx = tx.clone();
        async move { said(tx.subscribe().changed().await) }
    });
    (panics(tx), waiters)
}

fn watch_owned() -> (Peer, Vec<Waiter>) {
    let tx = watch::Sender::new(0);
    let waiters = three(|| {
        let mut rx = tx.subscribe();
        async move {
            said(rx.wait_for(|&now| now == DONE).await.map(|_| ()))
        }
    });
    (panics(tx), waiters)
}

fn broadcast_owned() -> (Peer, Vec<Waiter>) {
    let tx = broadcast::Sender::<u8>::new(1);
    let waiters = three(|| {
        let mut rx = tx.subscribe();
        async move { said(rx.recv().await) }
    });
    (panics(tx), waiters)
}

fn mpsc_owned() -> (Peer, Vec<Waiter>) {
    let (tx, mut rx) = mpsc::channel::<u8>(1);
    let waiter = async move { said(rx.recv().await) };
    (panics(tx), vec![Box::pin(waiter)])
}

fn mpsc_kept() -> (Peer, Vec<Waiter>) {
    let (tx, mut rx) = mpsc::channel::<u8>(1);
    let kept = tx.clone();
    let waiter = async move {
        let received = rx.recv().await;
        drop(kept);
        said(received)
    };
    (panics(tx), vec![Box::pin(waiter)])
}

fn oneshot_owned() -> (Peer, Vec<Waiter>) {
    let (tx, rx) = oneshot::channel::<u8>();
    (panics(tx), vec![Box::pin(async move { said(rx.await) })])
}

/// The peer is started by the one who waits.
fn joined() -> (Peer, Vec<Waiter>) {
    let waiter = async {
        let end = tokio::spawn(panics(())).await;
        let error = end.expect_err("it panicked");
        assert!(error.is_panic());
        "`Err(JoinError)`, `is_panic()`".to_owned()
    };
    (Box::pin(async {}), vec![Box::pin(waiter)])
}

fn lock_held() -> (Peer, Vec<Waiter>) {
    let lock = Arc::new(Mutex::new("half changed"));
    let held = lock.clone().try_lock_owned().unwrap();
    let waiters = three(|| {
        let lock = lock.clone();
        async move { format!("the lock, {}", *lock.lock().await) }
    });
    (panics(held), waiters)
}

/// This lock blocks its thread, so the others come when the peer is over.
fn std_lock_held() -> (Peer, Vec<Waiter>) {
    let lock = Arc::new(std::sync::Mutex::new(()));
    let waiters = three(|| {
        let lock = lock.clone();
        async move {
            sleep(Duration::from_secs(2)).await;
            said(lock.lock().map(drop))
        }
    });
    let peer = async move {
        let _held = lock.lock();
        resume_unwind(Box::new("bug"));
    };
    (Box::pin(peer), waiters)
}

#[leakcheck::test(start_paused = true)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("signals.md"));
}
