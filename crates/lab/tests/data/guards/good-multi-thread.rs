// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_leaves_no_task_behind_on_two_threads() -> anyhow::Result<()> {
    let world = World::open().await?;
    let scans = leakcheck::scope();
    for upload in 0..8 {
        world.unit(upload).await?;
    }
    scans.assert().await;
    Ok(())
}
