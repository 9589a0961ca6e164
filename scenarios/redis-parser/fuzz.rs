//! Feeds mutated bytes to the fuzz target, on a stable compiler, and counts.
//!
//! Run it: `cargo run --release --example redis-parser-fuzz -- 10000000`
//!
//! It starts from the seeds in `fuzz/corpus/decode`. It is blind: it does not see which branches an input takes. `cargo fuzz`
//! does, and runs the same function.

#[path = "tests/mutate/mod.rs"]
mod mutate;

fn main() {
    let asked = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |count| count.parse());
    let count: u64 =
        asked.expect("usage: redis-parser-fuzz [EXECUTIONS]");
    let started = std::time::Instant::now();
    let seen = mutate::run(count, 1);
    println!(
        "{count} executions in {:.0} s: {seen}",
        started.elapsed().as_secs_f64()
    );
}
