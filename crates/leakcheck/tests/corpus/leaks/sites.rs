//! The same leak, spawned from an unusual place: what counts here is the line.

use std::future::pending;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{LOCAL, Leak, in_this_file, keep, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "sites.rs",
        [
            leak!(spawns_through_a_caller_tracking_wrapper, "aembke/fred.rs#375", 2),
            leak!(spawns_through_a_plain_wrapper, "paritytech/polkadot#1255", 2),
            leak!(spawns_in_a_drop, "class: spawn site", 1),
            leak!(spawns_as_the_body_ends, "class: spawn site", 1),
            leak!(spawns_from_a_thread_through_a_handle, "denoland/deno#31080", 1),
            leak!(spawns_three_deep, "apache/datafusion#1103", 3),
            leak!(spawns_from_a_blocking_closure, "class: spawn site", 1),
            leak!(spawns_a_hundred_from_one_line, "EspressoSystems/HotShot#501", 100),
            leak!(spawns_two_on_one_line, "class: spawn site", 2),
            leak!(spawns_on_the_second_line_of_a_chain, "tokio-rs/axum#2563", 1),
            leak!(spawns_a_large_future, "class: spawn site", 1),
            leak!(spawns_a_boxed_future, "class: spawn site", 1),
            leak!(spawns_in_a_generic_function, "class: spawn site", 2),
            leak!(spawns_after_a_neighbour_that_ends, "MaterializeInc/materialize#15952", 1),
            leak!(spawns_on_a_local_runtime, "class: spawn site", 1).on(LOCAL),
            leak!(spawns_both_ways_on_a_local_runtime, "class: spawn site", 2).on(LOCAL),
        ]
    )
}

async fn spawns_through_a_caller_tracking_wrapper() {
    #[track_caller]
    fn spawn_listener() {
        tokio::spawn(pending::<()>());
    }
    spawn_listener(); // LEAK
    spawn_listener(); // LEAK
}

/// Without `#[track_caller]`, both tasks have the line of the wrapper.
async fn spawns_through_a_plain_wrapper() {
    fn spawn_listener() {
        tokio::spawn(pending::<()>()); // LEAK x2
    }
    spawn_listener();
    spawn_listener();
}

async fn spawns_in_a_drop() {
    struct Connection;
    impl Drop for Connection {
        fn drop(&mut self) {
            tokio::spawn(pending::<()>()); // LEAK
        }
    }
    drop(Connection);
}

async fn spawns_as_the_body_ends() {
    struct Connection;
    impl Drop for Connection {
        fn drop(&mut self) {
            tokio::spawn(pending::<()>()); // LEAK
        }
    }
    let _open = Connection;
    tokio::task::yield_now().await;
}

async fn spawns_from_a_thread_through_a_handle() {
    let runtime = Handle::current();
    let (ready, spawned) = oneshot::channel();
    let worker = thread::spawn(move || {
        runtime.spawn(pending::<()>()); // LEAK
        ready.send(()).expect("the body waits");
    });
    spawned.await.expect("the thread spawns");
    worker.join().expect("the thread does not panic");
}

async fn spawns_three_deep() {
    let (ready, spawned) = oneshot::channel();
    let outer = async {
        let middle = async {
            let inner = tokio::spawn(pending::<()>()); // LEAK
            ready.send(()).expect("the body waits");
            inner.await
        };
        tokio::spawn(middle).await // LEAK
    };
    tokio::spawn(outer); // LEAK
    spawned.await.expect("the innermost task is spawned");
}

async fn spawns_from_a_blocking_closure() {
    let connect = || {
        Handle::current().spawn(pending::<()>()); // LEAK
    };
    tokio::task::spawn_blocking(connect).await.expect("the closure does not panic");
}

async fn spawns_a_hundred_from_one_line() {
    for _ in 0..100 {
        tokio::spawn(pending::<()>()); // LEAK x100
    }
}

async fn spawns_two_on_one_line() {
    drop((tokio::spawn(pending::<()>()), tokio::spawn(pending::<u32>()))); // LEAK x2
}

/// Tokio reports the line of the call itself, and not the line on which the statement starts.
async fn spawns_on_the_second_line_of_a_chain() {
    Handle::current()
        // An upgraded connection is served on the runtime of its listener.
        .spawn(pending::<()>()); // LEAK
}

/// Tokio boxes a future of more than 16 KiB before it spawns it.
async fn spawns_a_large_future() {
    let flush = async {
        let buffer = [0_u8; 32 * 1024];
        pending::<()>().await;
        keep(buffer);
    };
    tokio::spawn(flush); // LEAK
}

async fn spawns_a_boxed_future() {
    let pool: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(pending());
    tokio::spawn(pool); // LEAK
}

async fn spawns_in_a_generic_function() {
    fn stream<T: Send + 'static>() {
        tokio::spawn(pending::<T>()); // LEAK x2
    }
    stream::<u32>();
    stream::<String>();
}

async fn spawns_after_a_neighbour_that_ends() {
    let view = tokio::spawn(async {});
    tokio::spawn(pending::<()>()); // LEAK
    view.await.expect("the view ends");
}

async fn spawns_on_a_local_runtime() {
    let session = std::rc::Rc::new(());
    let serve = async move {
        pending::<()>().await;
        drop(session);
    };
    tokio::task::spawn_local(serve); // LEAK
}

async fn spawns_both_ways_on_a_local_runtime() {
    tokio::task::spawn_local(pending::<()>()); // LEAK
    tokio::spawn(pending::<()>()); // LEAK
}
