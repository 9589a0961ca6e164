// guards: names exercises/upload-scan/start.rs:
use std::time::Duration;

use exercise::World as _;

use crate::world::World;

#[test]
fn a_checker_with_a_limit_of_its_own_finds_nothing() {
    let checker = leakcheck::Checker::multi_thread(2).settle(Duration::from_millis(500)).allow("exercises/upload-scan/world.rs");
    checker.assert(|| async {
        let world = World::open().await.unwrap();
        for upload in 0..8 {
            world.unit(upload).await.unwrap();
        }
        // What is returned lives until the verdict.
        world
    });
}
