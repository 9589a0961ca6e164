// ignored: the guard is ignored
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
#[ignore]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    scans.assert().await;
}
