// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

#[test]
fn a_runtime_of_its_own_keeps_no_scan() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.enable_all()).install();
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        let world = World::open().await.unwrap();
        let scans = watch.scope();
        for upload in 0..8 {
            world.unit(upload).await.unwrap();
        }
        scans.assert().await;
    });
}
