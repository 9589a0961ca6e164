//! Stops virtual time as soon as something outside appears.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::{runtime::Handle, time};

use crate::{
    lock::lock,
    outside::{self, Seen},
    threads::Threads,
};

/// The value of `most` while virtual time does not pass.
const OFF: u64 = u64::MAX;

/// Lets a paused clock run again as soon as something outside may act. Otherwise the runtime would jump to the limit of a
/// connection before the connection's peer could answer.
pub(crate) struct ClockGuard {
    /// How many sockets may be registered with the runtime's driver.
    most: AtomicU64,
    seen: Mutex<Seen>,
}

impl Default for ClockGuard {
    fn default() -> Self {
        Self { most: AtomicU64::new(OFF), seen: Mutex::default() }
    }
}

impl ClockGuard {
    /// Begins to guard, with this many sockets registered.
    pub(crate) fn begin(&self, registered: u64) -> Guarding<'_> {
        *lock(&self.seen) = Seen::default();
        self.most.store(registered, Ordering::Relaxed);
        Guarding(self)
    }

    /// Called after each poll, on the runtime's thread.
    pub(crate) fn after_poll(&self) {
        let most = self.most.load(Ordering::Relaxed);
        if most != OFF && outside::registered(&Handle::current()) > most {
            self.trip();
        }
    }

    /// Called when the runtime is about to be idle, and a paused clock about to jump. No poll tells that a task or a timer has
    /// woken a plain thread, and that thread's answer takes real time.
    pub(crate) fn before_park(&self, threads: &Threads) {
        if self.most.load(Ordering::Relaxed) != OFF && outside::has_begun(threads, &mut lock(&self.seen)) {
            self.trip();
        }
    }

    fn trip(&self) {
        self.most.store(OFF, Ordering::Relaxed);
        time::resume();
    }
}

/// Ends the guard of the clock when dropped.
pub(crate) struct Guarding<'g>(&'g ClockGuard);

impl Guarding<'_> {
    /// Whether the clock runs again.
    pub(crate) fn is_tripped(&self) -> bool {
        self.0.most.load(Ordering::Relaxed) == OFF
    }
}

impl Drop for Guarding<'_> {
    fn drop(&mut self) {
        self.0.most.store(OFF, Ordering::Relaxed);
    }
}
