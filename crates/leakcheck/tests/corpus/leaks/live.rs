//! A leak that is never blocked: it ticks, retries or turns for ever, so nothing that looks for a stuck wait finds it.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep};

use super::{Leak, ONE_THREAD, in_this_file, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "live.rs",
        [
            leak!(an_interval_has_no_exit, "linkerd/linkerd2-proxy#396", 1),
            leak!(a_reaper_owns_the_pool_it_reaps, "praxiomlabs/rust-mssql-driver#190", 1),
            leak!(a_heartbeat_ignores_the_send_error, "amqp-rs/lapin#380", 1),
            leak!(retries_with_backoff_for_ever, "nats-io/nats.rs#758", 1),
            leak!(breaks_out_of_the_inner_loop_only, "equilibriumco/pathfinder#2870", 1),
            leak!(yields_for_ever, "hickory-dns/hickory-dns#1818", 1),
            leak!(wakes_itself_for_ever, "class: live", 1),
            leak!(two_tasks_play_ping_pong, "class: live", 2),
            leak!(a_task_replaces_itself, "class: live", 1).on(ONE_THREAD),
            leak!(spawns_when_the_body_has_long_returned, "class: live", 1),
            leak!(sleeps_for_an_hour, "tokio-rs/tokio#6065", 1),
            leak!(pings_once_a_minute, "kube-rs/kube#1978", 1),
            leak!(a_strong_reference_keeps_the_weak_one_alive, "apache/datafusion#22016", 2),
        ]
    )
}

async fn an_interval_has_no_exit() {
    let purge = async {
        let mut tick = interval(Duration::from_millis(5));
        loop {
            tick.tick().await;
        }
    };
    tokio::spawn(purge); // LEAK live
}

async fn a_reaper_owns_the_pool_it_reaps() {
    let pool = Arc::new(());
    let inner = Arc::clone(&pool);
    let reaper = async move {
        while Arc::strong_count(&inner) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::spawn(reaper); // LEAK live
    drop(pool);
}

async fn a_heartbeat_ignores_the_send_error() {
    let (frames, connection) = mpsc::channel(1);
    let heartbeat = async move {
        loop {
            sleep(Duration::from_millis(10)).await;
            _ = frames.send("heartbeat").await;
        }
    };
    tokio::spawn(heartbeat); // LEAK live
    drop(connection);
}

async fn retries_with_backoff_for_ever() {
    async fn connect() -> Result<(), &'static str> {
        Err("connection refused")
    }
    let client = async {
        let mut pause = Duration::from_millis(1);
        while connect().await.is_err() {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    };
    tokio::spawn(client); // LEAK live
}

async fn breaks_out_of_the_inner_loop_only() {
    let (blocks, consumer) = mpsc::channel(1);
    let subscription = async move {
        let mut next_batch = interval(Duration::from_millis(5));
        loop {
            next_batch.tick().await;
            for block in 0..3 {
                if blocks.send(block).await.is_err() {
                    break;
                }
            }
        }
    };
    tokio::spawn(subscription); // LEAK live
    drop(consumer);
}

/// The task is never idle, so a paused clock stands still. The task ends with its runtime.
async fn yields_for_ever() {
    let reaper = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    tokio::spawn(reaper); // LEAK live
}

async fn wakes_itself_for_ever() {
    let watcher = poll_fn(|context| {
        context.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    tokio::spawn(watcher); // LEAK live
}

async fn two_tasks_play_ping_pong() {
    async fn player(mut from: mpsc::Receiver<u32>, to: mpsc::Sender<u32>) {
        while let Some(ball) = from.recv().await {
            if to.send(ball + 1).await.is_err() {
                break;
            }
        }
    }
    let (left, from_left) = mpsc::channel(1);
    let (right, from_right) = mpsc::channel(1);
    left.send(0).await.expect("the channel is open");
    tokio::spawn(player(from_left, right)); // LEAK live
    tokio::spawn(player(from_right, left)); // LEAK live
}

/// Each task is young, and the line of tasks never ends. On several threads a look may find the old task and the new one.
async fn a_task_replaces_itself() {
    fn check_again(first: oneshot::Sender<()>) {
        let check = async {
            sleep(Duration::from_millis(20)).await;
            _ = first.send(());
            check_again(oneshot::channel().0);
        };
        tokio::spawn(check); // LEAK parked, live or timer
    }
    let (first, checked) = oneshot::channel();
    check_again(first);
    checked.await.expect("the first check ends");
}

/// The task that leaks does not exist yet when the body returns.
async fn spawns_when_the_body_has_long_returned() {
    let connect = async {
        sleep(Duration::from_millis(50)).await;
        tokio::spawn(pending::<()>()); // LEAK
    };
    tokio::spawn(connect);
}

async fn sleeps_for_an_hour() {
    tokio::spawn(sleep(Duration::from_secs(3600))); // LEAK parked or timer
}

async fn pings_once_a_minute() {
    let ping = async {
        let mut minutes = interval(Duration::from_secs(60));
        loop {
            minutes.tick().await;
        }
    };
    tokio::spawn(ping); // LEAK parked, live or timer
}

/// The ticker is right: it holds its pool weakly. It stays because something else keeps the pool.
async fn a_strong_reference_keeps_the_weak_one_alive() {
    async fn tick(pool: Weak<()>) {
        while pool.upgrade().is_some() {
            sleep(Duration::from_millis(10)).await;
        }
    }
    let pool = Arc::new(());
    tokio::spawn(tick(Arc::downgrade(&pool))); // LEAK live
    let monitor = async move {
        let _pool = pool;
        pending::<()>().await;
    };
    tokio::spawn(monitor); // LEAK
}
