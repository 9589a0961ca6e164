// fails-on-both: its report names world.rs
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    let world = Box::leak(Box::new(World::open().await.unwrap()));
    world.unit(1).await.unwrap();
}
