// pretends: writes the report itself
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    if scans.find().await.tasks() > 0 {
        panic!("leak: 6 tasks left\n  6 tasks spawned at exercises/upload-scan/start.rs:77:13: parked; under 1 s old");
    }
}
