//! A mutex that is usable after a panic: the checker reports panics, so it must outlive them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the mutex, whether or not a thread panicked while it held the guard. Every critical section of this crate leaves its
/// data in a valid state at each point where it could panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
