// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn the_report_is_clean() {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    for upload in 0..8 {
        world.unit(upload).await.unwrap();
    }
    let report = scans.find().await;
    assert!(report.is_clean(), "{report}");
}
