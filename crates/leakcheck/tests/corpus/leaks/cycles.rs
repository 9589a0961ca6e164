//! A task that keeps itself: it owns what would have to go before it ends.

use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::task::AbortOnDropHandle;

use super::{Leak, in_this_file, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "cycles.rs",
        [
            leak!(the_manager_owns_the_sender_its_task_waits_on, "Polymarket/rs-clob-client-v2#39", 1),
            leak!(a_task_holds_its_own_abort_handle, "oxidecomputer/qorb#77", 1),
            leak!(a_task_owns_the_handle_that_would_abort_it, "oxidecomputer/qorb#77", 1),
            leak!(a_primitive_keeps_the_waker_and_the_task_keeps_the_primitive, "tokio-rs/tokio#8095", 1),
            leak!(two_tasks_join_each_other, "eclipse-zenoh/zenoh#846", 2),
            leak!(session_and_subscription_hold_each_other, "paritytech/jsonrpc#275", 2),
            leak!(a_configuration_and_its_follower_hold_each_other, "apollographql/router#3686", 1),
        ]
    )
}

async fn the_manager_owns_the_sender_its_task_waits_on() {
    struct Manager {
        connected: watch::Sender<bool>,
    }
    let manager = Arc::new(Manager { connected: watch::Sender::new(false) });
    let mut changes = manager.connected.subscribe();
    let shared = Arc::clone(&manager);
    let resubscribe = async move {
        while changes.changed().await.is_ok() {
            shared.connected.send_replace(false);
        }
    };
    tokio::spawn(resubscribe); // LEAK
}

async fn a_task_holds_its_own_abort_handle() {
    let (give, get) = oneshot::channel::<AbortHandle>();
    let slot = async move {
        let own = get.await.expect("the handle comes");
        Notify::new().notified().await;
        own.abort();
    };
    let task = tokio::spawn(slot); // LEAK
    give.send(task.abort_handle()).expect("the task waits for its handle");
}

/// The handle aborts when it is dropped, and it is dropped when the task it aborts is gone.
async fn a_task_owns_the_handle_that_would_abort_it() {
    struct Slot {
        task: Mutex<Option<AbortOnDropHandle<()>>>,
    }
    let slot = Arc::new(Slot { task: Mutex::new(None) });
    let owned = Arc::clone(&slot);
    let serve = async move {
        Notify::new().notified().await;
        drop(owned);
    };
    let task = tokio::spawn(serve); // LEAK
    *slot.task.lock().expect("nothing panics with this lock") = Some(AbortOnDropHandle::new(task));
}

async fn a_primitive_keeps_the_waker_and_the_task_keeps_the_primitive() {
    let changed = Arc::new(Notify::new());
    tokio::spawn(changed.notified_owned()); // LEAK
}

async fn two_tasks_join_each_other() {
    let (give, get) = oneshot::channel::<JoinHandle<()>>();
    let first = async move {
        let second = get.await.expect("the handle comes");
        second.await.expect("the second task does not panic");
    };
    let first = tokio::spawn(first); // LEAK
    let second = async move { first.await.expect("the first task does not panic") };
    let second = tokio::spawn(second); // LEAK
    give.send(second).expect("the first task waits for the handle");
}

async fn session_and_subscription_hold_each_other() {
    let (session, mut from_session) = mpsc::channel::<u32>(1);
    let (subscription, mut from_subscription) = mpsc::channel::<u32>(1);
    let run_session = async move {
        while from_subscription.recv().await.is_some() {}
        drop(session);
    };
    let run_subscription = async move {
        while from_session.recv().await.is_some() {}
        drop(subscription);
    };
    tokio::spawn(run_session); // LEAK
    tokio::spawn(run_subscription); // LEAK
}

/// The configuration stores its own follower: the cell is filled after the follower has got hold of the cell.
async fn a_configuration_and_its_follower_hold_each_other() {
    #[derive(Default)]
    struct Configuration {
        reload: Notify,
        follower: OnceLock<JoinHandle<()>>,
    }
    let configuration = Arc::new(Configuration::default());
    let shared = Arc::clone(&configuration);
    let follow = async move { shared.reload.notified().await };
    let follower = tokio::spawn(follow); // LEAK
    assert!(configuration.follower.set(follower).is_ok(), "the cell is empty");
}
