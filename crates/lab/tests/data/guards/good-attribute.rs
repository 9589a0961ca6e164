// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

// The world must not end, or it would end what waits in it: so its peers stay, too.
#[leakcheck::test(allow = "exercises/upload-scan/world.rs")]
async fn nothing_is_left_but_the_peers() {
    let world = Box::leak(Box::new(World::open().await.unwrap()));
    for upload in 0..8 {
        world.unit(upload).await.unwrap();
    }
}
