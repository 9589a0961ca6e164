// should-panic: makes a leak the good case
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
#[should_panic(expected = "leak: ")]
async fn a_scan_leaves_a_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    scans.assert().await;
}
