// other-line: a report that names exercises/upload-scan/guard.rs
use std::time::Duration;

use exercise::World as _;

use crate::world::World;

// The line that leaks is allowed; what is reported is the guard's own.
#[leakcheck::test(allow = "exercises/upload-scan/start.rs")]
async fn a_scan_leaves_no_task_behind() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let world = World::open().await.unwrap();
    let before = metrics.num_alive_tasks();
    let scans = leakcheck::scope();
    for upload in 0..8 {
        world.unit(upload).await.unwrap();
    }
    tokio::spawn(async move {
        while metrics.num_alive_tasks() > before + 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    scans.assert().await;
}
