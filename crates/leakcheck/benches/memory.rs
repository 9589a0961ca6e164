//! What the registry keeps for each living task.
//!
//! `cargo bench -p leakcheck --bench memory` counts the bytes that are asked of the allocator, watched minus plain. The tasks
//! themselves are in both numbers. What the allocator adds to each block is in neither.

#[path = "common/mod.rs"]
mod common;

use std::alloc::System;

use common::{Kind, head, row};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    common::title("bytes of the registry, beyond a plain runtime with the same tasks");
    head("", &["in all", "per live task"]);
    // The process's own things, such as the clock's thread, are there before anything is counted.
    drop(common::runtime(Kind::Watched, 0));
    for alive in [0, 1, 1_000, 10_000, 65_536, 100_000, 1_000_000] {
        tell(&format!("{alive} alive"), alive, 0);
    }
    tell("0 alive, after 1,000,000 have ended", 0, 1_000_000);
    tell("0 alive, after 200,000 at once have ended", 0, 200_000);
}

fn tell(name: &str, alive: usize, ended: usize) {
    let [plain, watched] = [Kind::Plain, Kind::Watched].map(|kind| kept(kind, alive, ended));
    let bytes = watched - plain;
    let each = if alive == 0 { "-".to_owned() } else { format!("{:.1}", bytes as f64 / alive as f64) };
    row(name, &[bytes.to_string(), each]);
}

/// Bytes that a runtime keeps with this many tasks alive, after this many others have ended.
fn kept(kind: Kind, alive: usize, ended: usize) -> isize {
    let region = Region::new(COUNTED);
    let (runtime, _watch) = common::runtime(kind, 0);
    runtime.block_on(async {
        // At once if they are fewer than a million; otherwise in parts, so that all places of the table are used.
        let at_once = if ended < 1_000_000 { ended } else { 1_000 };
        for _ in 0..ended.checked_div(at_once).unwrap_or(0) {
            common::batch(at_once).await;
        }
        common::park(alive).await;
    });
    assert_eq!(runtime.metrics().num_alive_tasks(), alive, "the count is of other tasks than it says");
    let change = region.change();
    change.bytes_allocated as isize - change.bytes_deallocated as isize
}
