//! Waits that Tokio knows nothing of: other crates' channels, and futures that nobody wakes.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use async_channel as channel;
use futures_util::future::{FutureExt, select, try_join};
use futures_util::lock::Mutex;
use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

use super::{Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "foreign.rs",
        [
            leak!(receives_from_a_foreign_channel, "64bit/async-openai#576", 1),
            leak!(sends_to_a_full_foreign_channel, "linkerd/linkerd2-proxy#401", 1),
            leak!(a_foreign_consumer_keeps_a_producer, "dynamo#13410", 2),
            leak!(takes_the_same_foreign_lock_twice, "class: double locking", 1),
            leak!(is_pending, "class: nil channel", 1),
            leak!(nobody_holds_the_waker, "hyperium/hyper#3647", 1),
            leak!(the_second_waiter_overwrites_the_first, "hyperium/hyper#3652", 1),
            leak!(shares_a_call_that_never_ends, "class: foreign future", 2),
            leak!(selects_over_two_that_never_end, "class: foreign future", 1),
            leak!(joins_a_failed_call_too_late, "linkerd/linkerd2-proxy#463", 1),
        ]
    )
}

async fn receives_from_a_foreign_channel() {
    let (events, stream) = channel::bounded::<u32>(4);
    tokio::spawn(async move { while stream.recv().await.is_ok() {} }); // LEAK
    events.send(1).await.expect("the stream is read");
    keep(events);
}

async fn sends_to_a_full_foreign_channel() {
    let (updates, balancer) = channel::bounded(1);
    updates.send(1).await.expect("the balancer holds the receiver");
    tokio::spawn(async move { updates.send(2).await }); // LEAK
    keep(balancer);
}

/// This channel has many receivers: each worker keeps a sender to put work back.
async fn a_foreign_consumer_keeps_a_producer() {
    let (jobs, queue) = channel::unbounded::<u32>();
    for _ in 0..2 {
        let (again, queue) = (jobs.clone(), queue.clone());
        let worker = async move {
            while let Ok(job) = queue.recv().await {
                if job > 0 {
                    again.send(job - 1).await.expect("the workers live");
                }
            }
        };
        tokio::spawn(worker); // LEAK x2
    }
    jobs.send(3).await.expect("the workers live");
}

async fn takes_the_same_foreign_lock_twice() {
    let balance = Arc::new(Mutex::new(1));
    let update = async move {
        let before = balance.lock().await;
        *balance.lock().await = *before + 1;
    };
    tokio::spawn(update); // LEAK
}

async fn is_pending() {
    tokio::spawn(pending::<()>()); // LEAK
}

/// The future does not keep the waker it is given, so the change wakes nobody.
async fn nobody_holds_the_waker() {
    let closed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&closed);
    let (ready, polled) = oneshot::channel();
    let mut ready = Some(ready);
    let watch = poll_fn(move |_| {
        let closed = flag.load(Ordering::Acquire);
        ready.take().map(|ready| ready.send(()));
        if closed { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::spawn(watch); // LEAK
    polled.await.expect("the task is polled");
    closed.store(true, Ordering::Release);
}

/// An `AtomicWaker` has room for one waker. The first waiter is never woken.
async fn the_second_waiter_overwrites_the_first() {
    let (waker, closed) = (Arc::new(AtomicWaker::new()), Arc::new(AtomicBool::new(false)));
    let wait = |ready: oneshot::Sender<()>| {
        let (waker, closed, mut ready) = (Arc::clone(&waker), Arc::clone(&closed), Some(ready));
        poll_fn(move |context| {
            waker.register(context.waker());
            ready.take().map(|ready| ready.send(()));
            if closed.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
    };
    let (ready, first) = oneshot::channel();
    tokio::spawn(wait(ready)); // LEAK
    first.await.expect("the first waiter registers");
    let (ready, second) = oneshot::channel();
    let later = tokio::spawn(wait(ready));
    second.await.expect("the second waiter registers");
    closed.store(true, Ordering::Release);
    waker.wake();
    later.await.expect("the second waiter is woken");
}

async fn shares_a_call_that_never_ends() {
    let call = pending::<()>().boxed().shared();
    for _ in 0..2 {
        tokio::spawn(call.clone()); // LEAK x2
    }
}

async fn selects_over_two_that_never_end() {
    let (item, unsubscribed) = (pending::<()>(), pending::<()>());
    tokio::spawn(select(item, unsubscribed)); // LEAK
}

/// One half is done. The join waits for the other half, and that has nobody to end it.
async fn joins_a_failed_call_too_late() {
    let done = async { Ok::<_, &str>(()) };
    let half_open = pending::<Result<(), &str>>();
    tokio::spawn(try_join(done, half_open)); // LEAK
}
