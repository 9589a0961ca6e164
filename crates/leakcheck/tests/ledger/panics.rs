//! Which ends are counted as panics, and which are not.

use std::{
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    pin::Pin,
};

use tokio::{
    sync::oneshot,
    task::{JoinError, yield_now},
};

use crate::{eventually, line, service};

/// Spawns the task, ends it, and says how the join ended and what the ledger has.
fn check(name: &str, counted: u64, abort: bool, future: impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>>) {
    for workers in [0, 2] {
        let (runtime, watch) = service(workers);
        // An abort that comes within the poll of a panic would end the task in that poll, so it comes after a second one has begun.
        let (begun, second_poll) = oneshot::channel();
        let (mut begun, mut future, mut polls) = (Some(begun), future(), 0);
        let polled = poll_fn(move |cx| {
            polls += 1;
            if polls == 1 {
                cx.waker().wake_by_ref();
            } else {
                let _sent = begun.take().map(|begun| begun.send(()));
            }
            future.as_mut().poll(cx)
        });
        const SPAWN: u32 = line!() + 1;
        let task = runtime.spawn(polled);
        if abort {
            runtime.block_on(second_poll).expect("it waits to be aborted");
            task.abort();
        }
        let joined: Result<(), JoinError> = runtime.block_on(task);
        let ledger = eventually(&watch, |ledger| line(ledger, file!(), SPAWN).ended == 1);
        assert_eq!(line(&ledger, file!(), SPAWN).panicked, counted, "{name}, {workers} workers: {joined:?}\n{ledger}");
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in the drop");
    }
}

#[test]
fn a_panic_in_a_poll_or_in_a_drop_is_counted() {
    check("first poll", 1, false, || Box::pin(async { panic!("on purpose") }));
    check("later poll", 1, false, || {
        Box::pin(async {
            yield_now().await;
            panic_any(7);
        })
    });
    check("drop of what it holds", 1, true, || {
        Box::pin(async {
            let _held = PanicsInDrop;
            pending::<()>().await;
        })
    });
}

#[test]
fn an_end_without_a_panic_is_not_counted() {
    check("return", 0, false, || Box::pin(async {}));
    check("abort", 0, true, || Box::pin(pending()));
    check("a panic that was caught before another poll", 0, false, || {
        Box::pin(async {
            assert!(catch_unwind(|| panic!("caught")).is_err());
            yield_now().await;
        })
    });
    check("a panic that was caught before an abort", 0, true, || {
        Box::pin(async {
            assert!(catch_unwind(|| panic!("caught")).is_err());
            pending::<()>().await;
        })
    });
}

/// The panic of a task inside a task is the inner one's.
#[test]
fn a_panic_belongs_to_the_innermost_task() {
    let (runtime, watch) = service(2);
    const SPAWN: u32 = line!() + 2;
    runtime.block_on(async {
        let outer = tokio::spawn(async {
            tokio::task::block_in_place(|| {
                let inner = tokio::runtime::Builder::new_current_thread().build().unwrap();
                inner.block_on(async { tokio::spawn(async { panic!("the inner one") }).await.unwrap_err() });
            });
        });
        outer.await.unwrap();
    });
    let ledger = eventually(&watch, |ledger| line(ledger, file!(), SPAWN).ended == 1);
    assert_eq!(line(&ledger, file!(), SPAWN).panicked, 0, "{ledger}");
}

/// What a panic hook can know: it is called where a panic begins, and `resume_unwind` calls none.
#[test]
fn blind_spots_of_the_panic_count() {
    check("caught in the poll that returns: too many", 1, false, || {
        Box::pin(async { drop(catch_unwind(AssertUnwindSafe(|| panic!("caught")))) })
    });
    check("passed on without the hook: too few", 0, false, || Box::pin(async { resume_unwind(Box::new(7)) }));
}

#[test]
fn a_thousand_panics_on_many_threads_are_counted_exactly() {
    let (runtime, watch) = service(2);
    const TASKS: u64 = 1_000;
    const SPAWN: u32 = line!() + 1;
    let spawn = |panics: bool| runtime.spawn(async move { assert!(!panics, "on purpose") });
    let tasks: Vec<_> = (0..TASKS).map(|task| spawn(task % 4 == 0)).collect();
    let failed = tasks.into_iter().map(|task| runtime.block_on(task)).filter(Result::is_err).count();
    assert_eq!(failed as u64, TASKS / 4);
    let ledger = eventually(&watch, |ledger| line(ledger, file!(), SPAWN).ended == TASKS);
    assert_eq!(line(&ledger, file!(), SPAWN).panicked, TASKS / 4);
}
