// hangs: on start.rs it had not ended after
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_scan_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    world.unit(0).await.unwrap();
    // Nobody sends.
    let (_send, receive) = tokio::sync::oneshot::channel::<()>();
    receive.await.unwrap();
    scans.assert().await;
}
