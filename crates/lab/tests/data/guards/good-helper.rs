// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn four_uploads_leave_nothing() {
    nothing_is_left(4).await;
}

#[leakcheck::test]
async fn one_upload_leaves_nothing() {
    nothing_is_left(1).await;
}

async fn nothing_is_left(uploads: u64) {
    let world = World::open().await.unwrap();
    let scans = leakcheck::scope();
    upload(&world, uploads).await;
    scans.assert().await;
}

async fn upload(world: &World, uploads: u64) {
    for upload in 0..uploads {
        world.unit(upload).await.unwrap();
    }
}
