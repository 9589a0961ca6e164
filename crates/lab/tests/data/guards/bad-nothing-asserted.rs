// asserts-nothing: the guard passes on both, so it asserts nothing
use exercise::World as _;

use crate::world::World;

// The world ends with the body, and ends what waits in it.
#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    for upload in 0..8 {
        world.unit(upload).await.unwrap();
    }
}
