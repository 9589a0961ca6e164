// dies: ended with exit code 1 in the middle of the test
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    if !scans.find().await.is_clean() {
        std::process::exit(1);
    }
}
