//! Counts what is allocated, so that a leak into memory is seen at once and not when the system happens to tell.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocated and not freed, in KiB, by the whole program.
pub(crate) fn kib() -> u64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64 / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_what_is_freed_is_not() {
        let before = kib();
        let held = vec![1_u8; 4 << 20];
        let during = kib();
        drop(held);
        let after = kib();
        assert!((4096..4200).contains(&(during - before)), "{before} {during}");
        assert!(after < before + 100, "{before} {after}");
    }
}
