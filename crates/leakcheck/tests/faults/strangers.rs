//! Threads with a name of their own, of which nobody can say which test they work for: a library's one thread for all its timers, a
//! thread that owns a database, a client that reads in a blocking way. futures-timer, which other pools' clocks run on, is the first.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{LazyLock, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::common::{ALL, Done, on};

/// Longer than the checker waits for nothing.
const LATER: Duration = Duration::from_millis(1_200);

/// The limits of all tests, of which each is as long as the others, so the first is the next one.
static LIMITS: Mutex<VecDeque<(Instant, oneshot::Sender<()>)>> = Mutex::new(VecDeque::new());
/// The thread that waits for them, as long as it takes to the next one.
static TIMER: LazyLock<thread::Thread> = LazyLock::new(|| {
    let wait = || loop {
        let mut limits = LIMITS.lock().expect("nobody panics");
        while limits.front().is_some_and(|(at, _)| *at <= Instant::now()) {
            drop(limits.pop_front());
        }
        let next = limits.front().map(|(at, _)| at.saturating_duration_since(Instant::now()));
        drop(limits);
        next.map_or_else(thread::park, thread::park_timeout);
    };
    thread::Builder::new().name("a-timer".into()).spawn(wait).expect("the system gives a thread").thread().clone()
});

/// A sleep that no runtime knows of.
async fn sleep() {
    let (over, is_over) = oneshot::channel();
    LIMITS.lock().expect("nobody panics").push_back((Instant::now() + LATER, over));
    TIMER.unpark();
    is_over.await.expect_err("nobody sends");
}

#[test]
fn a_sleep_on_the_thread_of_another_timer() {
    on(ALL).ends(|| async {
        Done::when(async {
            sleep().await;
            true
        })
    });
}

#[test]
fn an_answer_of_a_thread_that_was_given_a_name() {
    on(ALL).ends(|| async {
        let (answer, answered) = oneshot::channel();
        let work = || {
            let (_held, nothing) = mpsc::channel::<()>();
            nothing.recv_timeout(LATER).expect_err("nobody sends");
            answer.send(()).expect("it is waited for");
        };
        thread::Builder::new().name("database".into()).spawn(work).expect("the system gives a thread");
        Done::when(async { answered.await.is_ok() })
    });
}

#[test]
fn a_blocking_client_that_was_given_a_name() {
    on(ALL).ends(|| async {
        let (mut near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let (answer, answered) = oneshot::channel();
        let serve = move || {
            thread::sleep(LATER);
            far.write_all(b"y").expect("the client reads");
        };
        let ask = move || {
            near.read_exact(&mut [0]).expect("the server answers");
            answer.send(()).expect("it is waited for");
        };
        for (name, work) in [("server", Box::new(serve) as Box<dyn FnOnce() + Send>), ("client", Box::new(ask))] {
            thread::Builder::new().name(name.into()).spawn(work).expect("the system gives a thread");
        }
        Done::when(async { answered.await.is_ok() })
    });
}

/// Such a thread hides no leak.
#[test]
fn a_task_that_waits_for_none_of_them() {
    const SPAWN: u32 = line!() + 3;
    on(ALL).leaks(&[(SPAWN, 1)], || async {
        // The thread waits with a limit all the time.
        tokio::spawn(std::future::pending::<()>());
        thread::Builder::new()
            .name("ticker".into())
            .spawn(|| thread::sleep(5 * LATER))
            .expect("the system gives a thread");
    });
}
