// fails-on-both: the guard fails on both for one and the same reason
use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn no_upload_is_ever_kept() {
    let world = World::open().await.unwrap();
    world.unit(0).await.unwrap();
    assert_eq!(exercise::World::ledger(&world).unfinished(), 1, "an upload is under way for good");
}
