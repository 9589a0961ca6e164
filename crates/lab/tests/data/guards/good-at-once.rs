// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn uploads_at_the_same_time_leave_no_task_behind() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    exercise::all((0..16).map(|upload| world.unit(upload))).await.unwrap();
    scans.assert().await;
}
