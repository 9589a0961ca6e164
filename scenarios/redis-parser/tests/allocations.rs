//! What one command allocates, each way. The chapter shows the table, and this test holds it against what is counted;
//! `cargo lab record redis-parser` has it written anew, into the folder that `SHOWN` names.

#[path = "../benches/ways/mod.rs"]
mod ways;

use std::{alloc::System, path::Path};

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
    if let Some(folder) = std::env::var_os("SHOWN") {
        let file = Path::new(&folder).join("allocations.md");
        return std::fs::write(file, table).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(stored, table, "run `cargo lab record redis-parser`");
}
