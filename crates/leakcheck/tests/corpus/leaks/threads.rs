//! A task that blocks its thread and never gives it back: it has no await to be cancelled at.
//!
//! Nothing here turns for ever on a processor. The blocked threads end with the process.

use std::future::pending;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{block_in_place, yield_now};

use super::{Flavor, Leak, MULTI, in_this_file, keep, leak};

const ONE_THREAD: &[Flavor] = &[Flavor::Current, Flavor::Paused];

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "threads.rs",
        [
            leak!(locks_a_std_mutex_that_stays_locked, "class: blocked thread", 1).on(MULTI),
            leak!(waits_for_a_condvar, "class: condition variable", 1).on(MULTI),
            leak!(receives_from_a_std_channel, "class: blocked thread", 1).on(MULTI),
            leak!(polls_a_flag_with_thread_sleep, "class: blocked thread", 1).on(MULTI),
            leak!(joins_a_thread_that_parks, "class: blocked thread", 1).on(MULTI),
            leak!(blocks_in_its_drop, "fede1024/rust-rdkafka#509", 1).on(MULTI),
            leak!(blocks_after_it_has_yielded, "class: blocked thread", 1).on(MULTI),
            leak!(is_aborted_and_goes_on, "class: blocked thread", 1).on(MULTI),
            leak!(starves_the_child_it_has_just_spawned, "class: blocked thread", 2).on(MULTI),
            leak!(blocks_both_workers, "class: blocked thread", 2).on(MULTI),
            leak!(blocks_in_place, "class: blocked thread", 1).on(MULTI).blocking(1),
            leak!(blocks_in_place_on_a_future, "class: blocked thread", 1).on(MULTI).blocking(1),
            leak!(blocks_the_only_thread, "class: blocked thread", 1).on(ONE_THREAD).never_returns(),
        ]
    )
}

/// Blocks this thread until the process ends.
fn block() {
    let (held, silent) = mpsc::channel::<()>();
    keep(held);
    silent.recv().expect_err("the registry lives as long as the process");
}

async fn locks_a_std_mutex_that_stays_locked() {
    let statistics = Arc::new(Mutex::new(0));
    mem::forget(statistics.lock().expect("the lock is new"));
    let flush = async move { *statistics.lock().expect("nobody panicked") += 1 };
    tokio::spawn(flush); // LEAK never yields
}

async fn waits_for_a_condvar() {
    let state = Arc::new((Mutex::new(false), Condvar::new()));
    let stopped = async move {
        let (stopping, changed) = &*state;
        let stopping = stopping.lock().expect("nothing panics with this lock");
        drop(changed.wait_while(stopping, |stopping| !*stopping).expect("nothing panics with this lock"));
    };
    tokio::spawn(stopped); // LEAK never yields
}

async fn receives_from_a_std_channel() {
    let (commands, inbox) = mpsc::channel::<u32>();
    let driver = async move { while inbox.recv().is_ok() {} };
    tokio::spawn(driver); // LEAK never yields
    commands.send(1).expect("the driver has the receiver");
    keep(commands);
}

/// Five minutes stand for ever here.
async fn polls_a_flag_with_thread_sleep() {
    let handshake = async {
        for _ in 0..60_000 {
            thread::sleep(Duration::from_millis(5));
        }
    };
    tokio::spawn(handshake); // LEAK never yields
}

async fn joins_a_thread_that_parks() {
    let worker = thread::spawn(block);
    tokio::spawn(async move { worker.join() }); // LEAK never yields
}

async fn blocks_in_its_drop() {
    struct Consumer;
    impl Drop for Consumer {
        fn drop(&mut self) {
            block();
        }
    }
    let consumer = Consumer;
    tokio::spawn(async move { drop(consumer) }); // LEAK never yields
}

async fn blocks_after_it_has_yielded() {
    let driver = async {
        for _ in 0..10 {
            yield_now().await;
        }
        block();
    };
    tokio::spawn(driver); // LEAK never yields
}

/// An abort takes effect at an await, and there is none.
async fn is_aborted_and_goes_on() {
    let (ready, running) = oneshot::channel();
    let solver = async move {
        ready.send(()).expect("the body waits");
        block();
    };
    let solver = tokio::spawn(solver); // LEAK never yields
    running.await.expect("the task runs");
    solver.abort();
}

/// The child waits in the queue of the worker that its parent blocks.
async fn starves_the_child_it_has_just_spawned() {
    let parent = async {
        tokio::spawn(pending::<()>()); // LEAK parked or starved
        block();
    };
    tokio::spawn(parent); // LEAK never yields
}

/// No worker is left to turn the timers or the sockets.
async fn blocks_both_workers() {
    for _ in 0..2 {
        tokio::spawn(async { block() }); // LEAK x2 never yields
    }
}

async fn blocks_in_place() {
    tokio::spawn(async { block_in_place(block) }); // LEAK never yields
}

async fn blocks_in_place_on_a_future() {
    let resolve = async { block_in_place(|| Handle::current().block_on(pending::<()>())) };
    tokio::spawn(resolve); // LEAK never yields
}

async fn blocks_the_only_thread() {
    let driver = tokio::spawn(async { block() }); // LEAK never yields
    driver.await.expect("the driver does not panic");
}
