//! The atomics of what is model-checked: the standard library's, or loom's in the models.

#[cfg(all(test, leakcheck_loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(all(test, leakcheck_loom)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
