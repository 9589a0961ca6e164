//! Which tasks end by a panic.
//!
//! Tokio's terminate hook is called after the panic has been caught, on the thread that polled or dropped the task:
//! `std::thread::panicking` is false there, and the hook is told nothing of the output. But the panic hook of the process runs where
//! the panic begins, and there `tokio::task::try_id` still tells the task. So the panic hook notes the task, and the poll, in a
//! thread-local, and the terminate hook looks whether it is its own.

use std::{cell::Cell, panic, sync::Once, thread};

use tokio::task;

use crate::{hash::number, threads};

thread_local! {
    /// The last panic on this thread inside a task: the task, and the number of the poll; 0 is outside of a poll.
    static LAST: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Sets the panic hook, once in the process, before the one that is there. A hook that is set later replaces it.
pub(crate) fn listen() {
    static SET: Once = Once::new();
    // The standard library refuses to change the hook on a thread that panics.
    if thread::panicking() {
        return;
    }
    SET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note();
            before(info);
        }));
    });
}

/// Notes that the task that the calling thread polls or drops has panicked. Called by the panic hook.
fn note() {
    if let Some(task) = task::try_id().map(number) {
        // Fails at a thread's end only, and then no task's end is looked for on this thread.
        let _ = LAST.try_with(|last| last.set((task, threads::poll_of(task))));
    }
}

/// Whether the task, whose end the calling thread tells, panicked in the poll or the drop that ended it.
///
/// Guarantee: true of a task whose `JoinError::is_panic`. Gap: true also of a task that caught the panic itself and returned in the
/// same poll; and false after `resume_unwind`, for which no panic hook is called, and after somebody replaced the hook.
pub(crate) fn ended_by_panic(task: u64) -> bool {
    let (panicked, poll) = LAST.get();
    panicked == task && poll == threads::poll_of(task)
}
