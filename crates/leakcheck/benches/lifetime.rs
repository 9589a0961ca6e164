//! The same question as `cost`, asked with criterion: it keeps a history, so a change of the registry shows as a
//! percentage.
//!
//! `cargo bench -p leakcheck --bench lifetime`. Criterion measures one variant after another; on a busy machine
//! believe `cost`.

#[path = "common/mod.rs"]
mod common;

use std::time::Duration;

use common::Kind;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const BATCH: usize = 1_000;

fn lifetime(criterion: &mut Criterion) {
    for (name, workers) in [("current_thread", 0), ("multi_thread_2", 2)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(BATCH as u64)).sample_size(50).measurement_time(Duration::from_secs(3));
        for kind in Kind::ALL {
            let (runtime, _watch) = common::runtime(kind, workers);
            group.bench_function(kind.name(), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| runtime.block_on(common::batch(BATCH))).sum());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, lifetime);
criterion_main!(benches);
