//! What one command allocates, each way. The chapter shows the table, and this test holds it against what is counted.
//!
//! `LAB_ALLOCATIONS=write cargo test --test allocations` writes it anew.

#[path = "../benches/ways/mod.rs"]
mod ways;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// So many that what a runtime allocates once is less than a rounding.
const TIMES: u32 = 20_000;

/// One test, and so one thread beside the runtimes' own: the allocator counts for the process.
#[test]
fn the_table_in_the_book_is_what_is_counted() {
    let mut table = "| one `SET` is parsed | allocations | bytes allocated |\n|---|--:|--:|\n".to_owned();
    for (name, mut run) in ways::all() {
        run(TIMES);
        let region = Region::new(COUNTED);
        run(TIMES);
        let change = region.change();
        let per =
            |count: usize| (count as f64 / f64::from(TIMES)).round();
        table += &format!(
            "| {name} | {} | {} |\n",
            per(change.allocations),
            per(change.bytes_allocated)
        );
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/allocations.md");
    if std::env::var("LAB_ALLOCATIONS")
        .is_ok_and(|value| value == "write")
    {
        std::fs::write(path, &table).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        stored, table,
        "run `LAB_ALLOCATIONS=write cargo test --test allocations`"
    );
}
