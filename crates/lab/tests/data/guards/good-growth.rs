// guards: names exercises/upload-scan/start.rs:
use exercise::World as _;

use crate::world::World;

#[test]
fn tasks_do_not_grow_with_uploads() {
    leakcheck::Growth::of(4).assert(|uploads| async move {
        let world = World::open().await.unwrap();
        for upload in 0..uploads {
            world.unit(upload).await.unwrap();
        }
        world
    });
}
