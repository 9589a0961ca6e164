// no-report: by no report of leakcheck (assertion `left == right` failed
use std::time::Duration;

use exercise::World as _;

use crate::world::World;

#[tokio::test]
async fn a_scan_leaves_no_task_behind() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let world = World::open().await.unwrap();
    let before = metrics.num_alive_tasks();
    for upload in 0..8 {
        world.unit(upload).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(metrics.num_alive_tasks(), before);
}
