// no-test: there is no test in guard.rs
use exercise::World as _;

use crate::world::World;

// A `#[leakcheck::test]` was meant.
#[expect(dead_code, reason = "nobody calls it")]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    scans.assert().await;
}
