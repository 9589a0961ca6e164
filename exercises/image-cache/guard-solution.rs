//! A guard that holds the bound: a full cache gets no fuller, and no task more.

use exercise::World as _;

use crate::{PICTURES_MAX, world::World};

#[leakcheck::test]
async fn a_full_cache_keeps_no_more_tasks_than_pictures() {
    let world = World::open().await.unwrap();
    let pictures = leakcheck::scope();
    let enough = PICTURES_MAX as u64;
    offer(&world, 0..enough).await;
    let once = pictures.find().await.tasks();
    offer(&world, enough..2 * enough).await;
    let twice = pictures.find().await.tasks();
    // The second load is as large as the first one, and finds the cache full.
    assert!(once.max(twice) <= PICTURES_MAX, "{once} tasks when the cache was full, {twice} after as many again");
}

/// Some at a time, as visitors come.
async fn offer(world: &World, products: std::ops::Range<u64>) {
    for first in products.clone().step_by(8) {
        let some = (first..products.end.min(first + 8)).map(|product| world.unit(product));
        exercise::all(some).await.unwrap();
    }
}
