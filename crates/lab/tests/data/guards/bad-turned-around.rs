// turned-around: it must be the other way round
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_scan_leaves_a_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    assert!(!scans.find().await.is_clean());
}
