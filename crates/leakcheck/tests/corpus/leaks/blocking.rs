//! A closure on the blocking pool that never returns. It is a thread and no task, and nothing can abort it.

use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc as tokio_mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::{Leak, REAL, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "blocking.rs",
        [
            leak!(a_blocking_closure_never_returns, "tokio-rs/tokio#931", 0).blocking(1),
            leak!(times_out_a_blocking_closure, "lambdaclass/ethrex#6577", 0).blocking(1).on(REAL),
            leak!(aborts_a_running_blocking_closure, "neondatabase/neon 7db018e14", 0).blocking(1),
            leak!(a_task_waits_for_its_blocking_closure, "nats-io/nats.rs#213", 1).blocking(1),
            leak!(a_blocking_closure_drives_a_future, "nats-io/nats.rs#213", 0).blocking(1),
            leak!(a_blocking_closure_reads_a_channel_that_stays, "influxdata/influxdb_iox#7093", 1).blocking(1),
            leak!(three_blocking_closures_wait_for_a_condvar, "class: condition variable", 0).blocking(3),
            leak!(a_task_and_a_blocking_closure_wait_for_each_other, "class: channel", 1).blocking(1),
        ]
    )
}

/// A source that is silent until the process ends.
fn silent() -> mpsc::Receiver<u32> {
    let (sender, receiver) = mpsc::channel();
    keep(sender);
    receiver
}

async fn a_blocking_closure_never_returns() {
    let resolver = silent();
    spawn_blocking(move || resolver.recv());
}

async fn times_out_a_blocking_closure() {
    let answer = silent();
    let call = spawn_blocking(move || answer.recv());
    tokio::time::timeout(Duration::from_millis(2), call).await.expect_err("the closure never returns");
}

async fn aborts_a_running_blocking_closure() {
    let (ready, running) = oneshot::channel();
    let layers = silent();
    let size = spawn_blocking(move || {
        ready.send(()).expect("the body waits");
        layers.recv()
    });
    running.await.expect("the closure runs");
    size.abort();
}

async fn a_task_waits_for_its_blocking_closure() {
    let messages = silent();
    let next = async move { spawn_blocking(move || messages.recv()).await };
    tokio::spawn(next); // LEAK
}

async fn a_blocking_closure_drives_a_future() {
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(std::future::pending::<()>()));
}

async fn a_blocking_closure_reads_a_channel_that_stays() {
    let (segments, mut queue) = tokio_mpsc::channel::<u32>(1);
    spawn_blocking(move || while queue.blocking_recv().is_some() {});
    let flush = async move {
        segments.send(1).await.expect("the closure reads");
        segments.closed().await;
    };
    tokio::spawn(flush); // LEAK
}

async fn three_blocking_closures_wait_for_a_condvar() {
    let state = Arc::new((Mutex::new(false), Condvar::new()));
    for _ in 0..3 {
        let state = Arc::clone(&state);
        spawn_blocking(move || {
            let (stopping, changed) = &*state;
            let stopping = stopping.lock().expect("nothing panics with this lock");
            drop(changed.wait_while(stopping, |stopping| !*stopping));
        });
    }
}

async fn a_task_and_a_blocking_closure_wait_for_each_other() {
    let (work, mut inbox) = tokio_mpsc::channel::<u32>(1);
    let (done, mut results) = tokio_mpsc::channel::<u32>(1);
    spawn_blocking(move || {
        let job = inbox.blocking_recv();
        done.blocking_send(job.unwrap_or_default())
    });
    let scheduler = async move {
        let result = results.recv().await;
        work.send(result.unwrap_or_default()).await
    };
    tokio::spawn(scheduler); // LEAK
}
