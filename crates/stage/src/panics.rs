//! Counts panics. A panic in a task ends that task and nothing else, so a count at rest does not show it.

use std::{
    panic,
    sync::atomic::{AtomicU64, Ordering},
};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts every panic from now on, and says of it what was said before.
pub(crate) fn watch() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
}

/// Panics so far, caught or not.
pub(crate) fn count() -> u64 {
    PANICS.load(Ordering::Relaxed)
}
