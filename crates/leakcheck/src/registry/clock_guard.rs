//! Stops virtual time as soon as something outside appears.

use std::sync::{Arc, atomic::Ordering};

use tokio::{runtime::Handle, time};

use super::Registry;
use crate::outside;

/// The value of `clock_guard` while the clock is not guarded.
pub(super) const NO_GUARD: u64 = u64::MAX;

impl Registry {
    /// Lets a paused clock run again as soon as more than this many sockets are registered with the runtime's driver.
    /// Otherwise the runtime would jump to the limit of a connection before the connection's peer could answer.
    pub(crate) fn guard_clock(self: &Arc<Self>, registered: u64) -> ClockGuard {
        outside::begin_anew(&self.threads);
        self.clock_guard.store(registered, Ordering::Relaxed);
        ClockGuard(self.clone())
    }

    /// Called after each poll, on the runtime's thread.
    pub(crate) fn check_clock(&self) {
        let most = self.clock_guard.load(Ordering::Relaxed);
        if most != NO_GUARD && outside::registered(&Handle::current()) > most {
            self.clock_guard.store(NO_GUARD, Ordering::Relaxed);
            time::resume();
        }
    }

    /// Called when the runtime is about to be idle, and a paused clock about to jump. No poll tells that a task or a timer has
    /// woken a plain thread, and that thread's answer takes real time.
    pub(crate) fn check_clock_before_park(&self) {
        if self.clock_guard.load(Ordering::Relaxed) != NO_GUARD && outside::has_begun(&self.threads) {
            self.clock_guard.store(NO_GUARD, Ordering::Relaxed);
            time::resume();
        }
    }
}

/// Ends the guard of the clock when dropped.
pub(crate) struct ClockGuard(Arc<Registry>);

impl ClockGuard {
    /// Whether the clock runs again.
    pub(crate) fn is_tripped(&self) -> bool {
        self.0.clock_guard.load(Ordering::Relaxed) == NO_GUARD
    }
}

impl Drop for ClockGuard {
    fn drop(&mut self) {
        self.0.clock_guard.store(NO_GUARD, Ordering::Relaxed);
    }
}
