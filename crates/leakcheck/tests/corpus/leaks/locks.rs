//! A lock or a permit that is not given back, and two holders who wait for each other.

use std::future::pending;
use std::mem;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{Barrier, Mutex, OnceCell, RwLock, Semaphore, mpsc, oneshot};

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "locks.rs",
        [
            leak!(a_guard_is_held_across_a_call_that_never_ends, "class: channel and lock", 3),
            leak!(two_locks_in_opposite_order, "class: AB-BA", 2),
            leak!(takes_the_same_lock_twice, "class: double locking", 1),
            leak!(writes_while_it_reads, "class: double locking", 1),
            leak!(reads_again_behind_a_writer, "class: RWR", 2),
            leak!(a_guard_is_forgotten, "class: missing unlock", 1),
            leak!(a_guard_lives_in_a_registry, "class: missing unlock", 1),
            leak!(a_permit_is_forgotten, "djc/bb8#59", 1),
            leak!(a_permit_stays_in_a_finished_subscription, "paritytech/polkadot-sdk#4533", 2),
            leak!(asks_for_more_permits_than_there_are, "class: missing unlock", 1),
            leak!(each_holds_one_connection_and_waits_for_a_second, "class: AB-BA", 2),
            leak!(sends_with_the_lock_its_reader_needs, "class: channel and lock", 2),
            leak!(waits_for_a_task_that_needs_its_lock, "class: channel and lock", 2),
            leak!(an_initializer_never_ends, "tower-rs/tower#581", 3),
        ]
    )
}

async fn a_guard_is_held_across_a_call_that_never_ends() {
    let mailbox = Arc::new(Mutex::new(()));
    let (ready, locked) = oneshot::channel();
    let holder = Arc::clone(&mailbox);
    let upstream = async move {
        let _guard = holder.lock().await;
        _ = ready.send(());
        pending::<()>().await;
    };
    tokio::spawn(upstream); // LEAK
    locked.await.expect("the lock is free");
    for _ in 0..2 {
        let mailbox = Arc::clone(&mailbox);
        tokio::spawn(async move { drop(mailbox.lock().await) }); // LEAK x2
    }
}

async fn two_locks_in_opposite_order() {
    async fn transfer(from: Arc<Mutex<u32>>, to: Arc<Mutex<u32>>, both: Arc<Barrier>) {
        let mut from = from.lock().await;
        both.wait().await;
        *to.lock().await += mem::take(&mut *from);
    }
    let (alice, bob) = (Arc::new(Mutex::new(1)), Arc::new(Mutex::new(2)));
    let both = Arc::new(Barrier::new(2));
    tokio::spawn(transfer(Arc::clone(&alice), Arc::clone(&bob), Arc::clone(&both))); // LEAK
    tokio::spawn(transfer(bob, alice, both)); // LEAK
}

async fn takes_the_same_lock_twice() {
    let balance = Arc::new(Mutex::new(1));
    let update = async move {
        let before = balance.lock().await;
        *balance.lock().await = *before + 1;
    };
    tokio::spawn(update); // LEAK
}

async fn writes_while_it_reads() {
    let routes = Arc::new(RwLock::new(1));
    let upgrade = async move {
        let before = routes.read().await;
        *routes.write().await = *before + 1;
    };
    tokio::spawn(upgrade); // LEAK
}

/// Tokio's lock is fair: the second read waits behind the writer, and the writer waits for the first read.
async fn reads_again_behind_a_writer() {
    let routes = Arc::new(RwLock::new(1));
    let (queued, writer_waits) = oneshot::channel();
    let first = Arc::clone(&routes).read_owned().await;
    let lock = Arc::clone(&routes);
    let writer = async move {
        let mut write = pin!(lock.write());
        assert!(write.as_mut().now_or_never().is_none(), "a reader has the lock");
        _ = queued.send(());
        *write.await += 1;
    };
    let reader = async move {
        writer_waits.await.expect("the writer comes");
        *first + *routes.read().await
    };
    tokio::spawn(writer); // LEAK
    tokio::spawn(reader); // LEAK
}

async fn a_guard_is_forgotten() {
    let pool = Arc::new(Mutex::new(5));
    mem::forget(Arc::clone(&pool).lock_owned().await);
    tokio::spawn(async move { *pool.lock().await }); // LEAK
}

async fn a_guard_lives_in_a_registry() {
    let sink = Arc::new(RwLock::new(()));
    keep(Arc::clone(&sink).write_owned().await);
    tokio::spawn(async move { drop(sink.read().await) }); // LEAK
}

/// The permit was taken apart, and the future was dropped before the guard was put together.
async fn a_permit_is_forgotten() {
    let pool = Arc::new(Semaphore::new(1));
    let connect = {
        let pool = Arc::clone(&pool);
        async move {
            pool.acquire().await.expect("the pool is open").forget();
            pending::<()>().await;
            pool.add_permits(1);
        }
    };
    assert!(connect.now_or_never().is_none(), "the connection is never made");
    tokio::spawn(async move { drop(pool.acquire().await) }); // LEAK
}

async fn a_permit_stays_in_a_finished_subscription() {
    let subscriptions = Arc::new(Semaphore::new(1));
    keep(Arc::clone(&subscriptions).acquire_owned().await);
    for _ in 0..2 {
        tokio::spawn(Arc::clone(&subscriptions).acquire_owned()); // LEAK x2
    }
}

async fn asks_for_more_permits_than_there_are() {
    let pool = Arc::new(Semaphore::new(4));
    tokio::spawn(pool.acquire_many_owned(5)); // LEAK
}

async fn each_holds_one_connection_and_waits_for_a_second() {
    let pool = Arc::new(Semaphore::new(2));
    let both = Arc::new(Barrier::new(2));
    for _ in 0..2 {
        let (pool, both) = (Arc::clone(&pool), Arc::clone(&both));
        let nested_transaction = async move {
            let _outer = pool.acquire().await.expect("the pool is open");
            both.wait().await;
            let _inner = pool.acquire().await.expect("the pool is open");
        };
        tokio::spawn(nested_transaction); // LEAK x2
    }
}

async fn sends_with_the_lock_its_reader_needs() {
    let status = Arc::new(Mutex::new(0));
    let (updates, mut inbox) = mpsc::channel(1);
    let (ready, full) = oneshot::channel();
    let reader_status = Arc::clone(&status);
    let writer = async move {
        let status = status.lock().await;
        updates.send(*status).await.expect("the reader lives");
        _ = ready.send(());
        updates.send(*status).await.expect("the reader lives");
    };
    let reader = async move {
        full.await.expect("the writer fills the channel");
        let mut status = reader_status.lock().await;
        *status = inbox.recv().await.expect("the writer lives");
    };
    tokio::spawn(writer); // LEAK
    tokio::spawn(reader); // LEAK
}

async fn waits_for_a_task_that_needs_its_lock() {
    let state = Arc::new(Mutex::new(0));
    let stop = async move {
        let state_of_worker = Arc::clone(&state);
        let _guard = state.lock().await;
        let worker = tokio::spawn(async move { *state_of_worker.lock().await }); // LEAK
        worker.await
    };
    tokio::spawn(stop); // LEAK
}

async fn an_initializer_never_ends() {
    let service = Arc::new(OnceCell::<u32>::new());
    for _ in 0..3 {
        let service = Arc::clone(&service);
        tokio::spawn(async move { *service.get_or_init(pending).await }); // LEAK x3
    }
}
