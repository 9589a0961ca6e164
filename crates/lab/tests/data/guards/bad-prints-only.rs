// asserts-nothing: prints the report and asserts nothing
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    for upload in 0..8 {
        world.unit(upload).await.unwrap();
    }
    println!("{}", scans.find().await);
}
