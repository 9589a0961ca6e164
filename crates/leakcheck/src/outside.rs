//! What outside of a runtime can still end its tasks: a peer behind a socket, a child process, a blocking closure, a plain
//! thread of the test.
//!
//! Tokio counts its sockets, and Linux tells the rest: which descriptors a runtime has registered, who is at a connection's
//! other end, which children a thread has started, and in which system call each thread waits. On other systems an open
//! socket counts as open to the outside, and the rest is unknown.

use std::fmt;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{
    children,
    pool::busy,
    probe::{self, Wait},
    threads::Threads,
};

/// Something that may still act on a runtime's tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outside {
    /// A connection whose other end is not in this runtime, with the peer's address where the system tells it.
    Socket(String),
    Child(u32),
    /// A closure of `spawn_blocking` that works, or waits for something from outside.
    Closure,
    /// A thread that the test started, by its name.
    Thread(String),
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(peer) => write!(f, "a socket to {peer}"),
            Self::Child(process) => write!(f, "child process {process}"),
            Self::Closure => write!(f, "a blocking closure"),
            Self::Thread(name) => write!(f, "thread {name}"),
        }
    }
}

/// How many sockets, child processes and other sources of events the runtime has registered with its driver.
#[cfg(tokio_unstable)]
pub(crate) fn registered(handle: &Handle) -> u64 {
    let metrics = handle.metrics();
    let gone = metrics.io_driver_fd_deregistered_count();
    metrics.io_driver_fd_registered_count().saturating_sub(gone)
}

#[cfg(not(tokio_unstable))]
pub(crate) fn registered(_: &Handle) -> u64 {
    0
}

/// Everything outside that may still act. `idle` is how many threads of the blocking pool have no closure. Reads files of the
/// system, so it should not run on a thread of the runtime.
pub(crate) fn look(handle: &Handle, threads: &Threads, idle: usize) -> Vec<Outside> {
    let mut open = sockets::open(handle);
    open.extend(children(threads));
    open.extend(closures_act(handle, threads, idle).then_some(Outside::Closure));
    open.extend(acting_threads(threads));
    open.sort_unstable();
    open.dedup();
    open
}

/// Whether the clock of the runtime can be moved without a real event being missed: nothing outside exists that might act.
pub(crate) fn is_nothing(handle: &Handle, threads: &Threads) -> bool {
    registered(handle) == 0 && busy(handle) == 0 && children(threads).is_empty() && acting_threads(threads).is_empty()
}

/// What was known of the test's threads at the last look, so that the next one is cheap.
#[derive(Default)]
pub(crate) struct Seen {
    /// The last process or thread that the system had started.
    newest: String,
    /// The test's threads.
    own: Vec<u32>,
}

/// Whether a plain thread of the test acts, or a child lives. Cheap while no thread is started anywhere, so that a runtime
/// may ask each time it is about to be idle. A thread that was woken no longer waits, even if it has had no processor yet.
pub(crate) fn has_begun(threads: &Threads, seen: &mut Seen) -> bool {
    let newest = newest();
    let started = newest.is_empty() || newest != seen.newest;
    if started {
        seen.own = threads.started_by_the_test().into_iter().map(|(thread, _)| thread).collect();
        seen.newest = newest;
    }
    seen.own.iter().any(|thread| probe::wait_of(*thread).is_some_and(Wait::may_act))
        || started && !children(threads).is_empty()
}

/// The number that the system gave last to a process or a thread; empty where the system does not tell.
fn newest() -> String {
    let line = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    line.split_whitespace().last().unwrap_or_default().to_owned()
}

/// Whether a blocking closure works, or waits in a call that something from outside can end.
fn closures_act(handle: &Handle, threads: &Threads, idle: usize) -> bool {
    // A multi_thread runtime's worker that works is no closure.
    let counts_work = handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
    let acts = |wait: &Wait| match wait {
        Wait::Working => counts_work,
        Wait::Driver(_) => false,
        wait => wait.may_act(),
    };
    let others = threads.numbers().into_iter().filter(|thread| Some(*thread) != threads.driving());
    let others: Vec<_> = others.filter_map(probe::wait_of).collect();
    // A thread that the pool has started, and that has had no processor yet, is not known yet; its closure has yet to work. And
    // an idle thread of the pool waits with a limit too.
    busy(handle) > 0
        && (others.len() < started_by_the_runtime(handle) || others.iter().filter(|wait| acts(wait)).count() > idle)
}

/// How many threads the runtime has started: workers, and threads of the blocking pool.
#[cfg(tokio_unstable)]
fn started_by_the_runtime(handle: &Handle) -> usize {
    let metrics = handle.metrics();
    let workers = if handle.runtime_flavor() == RuntimeFlavor::CurrentThread { 0 } else { metrics.num_workers() };
    workers + metrics.num_blocking_threads()
}

#[cfg(not(tokio_unstable))]
fn started_by_the_runtime(_: &Handle) -> usize {
    0
}

/// The plain threads of the test that work, wait for a while, or wait for something from outside.
fn acting_threads(threads: &Threads) -> Vec<Outside> {
    let mut started = threads.started_by_the_test();
    started.retain(|(thread, _)| probe::wait_of(*thread).is_some_and(|wait| wait.may_act()));
    started.into_iter().map(|(_, name)| Outside::Thread(name)).collect()
}

/// Threads that may act on this runtime's tasks, and of which nobody knows whether they do: such as the one thread on which a library
/// waits for all its timers. Not those that wait for events of descriptors, as other runtimes' threads do.
pub(crate) fn strangers(threads: &Threads) -> Vec<Outside> {
    let mut others = threads.started_by_somebody();
    others.retain(|(thread, _)| {
        probe::wait_of(*thread).is_some_and(|wait| wait.may_act() && !matches!(wait, Wait::Driver(_) | Wait::Unknown))
    });
    others.into_iter().map(|(_, name)| Outside::Thread(name)).collect()
}

/// The living children that the runtime's threads, and threads started by them, have started. Where the kernel does not list them, the
/// child's own descriptor stands for the child.
fn children(threads: &Threads) -> Vec<Outside> {
    let started = threads.started_by_the_test().into_iter().map(|(thread, _)| thread);
    children::alive(threads.numbers().into_iter().chain(started)).into_iter().map(Outside::Child).collect()
}

#[cfg(target_os = "linux")]
mod sockets;

#[cfg(not(target_os = "linux"))]
mod sockets {
    use super::*;

    pub(super) fn open(handle: &Handle) -> Vec<Outside> {
        let open = registered(handle) > 0;
        open.then(|| Outside::Socket("a peer that this system does not tell".into())).into_iter().collect()
    }
}
