//! The threads of a runtime's blocking pool.

use tokio::runtime::Handle;

/// How many threads of the blocking pool run a closure, or are about to.
#[cfg(tokio_unstable)]
pub(crate) fn busy(handle: &Handle) -> usize {
    let metrics = handle.metrics();
    // The difference saturates, because a thread that becomes idle between the two loads would make it negative. The queue
    // is not added: a closure whose thread has yet to start is counted as that thread already, and the workers of a
    // multi_thread runtime begin in the queue.
    metrics.num_blocking_threads().saturating_sub(metrics.num_idle_blocking_threads())
}

#[cfg(not(tokio_unstable))]
pub(crate) fn busy(_: &Handle) -> usize {
    0
}

#[cfg(tokio_unstable)]
pub(crate) fn idle(handle: &Handle) -> usize {
    handle.metrics().num_idle_blocking_threads()
}

#[cfg(not(tokio_unstable))]
pub(crate) fn idle(_: &Handle) -> usize {
    0
}
