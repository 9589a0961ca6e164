// asserts-nothing: take the path that leaks
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_clean_upload_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(1).await.unwrap();
    scans.assert().await;
}
