//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_vehicle_that_comes_back_leaves_no_writer_behind() {
    let world = World::open().await.unwrap();
    let days = leakcheck::scope();
    // Three of four come back; without them this test would pass on the leak.
    exercise::all((0..8).map(|n| world.unit(n))).await.unwrap();
    // The tracker lives on; only the vehicles have left.
    days.assert().await;
    world.close().await.unwrap();
}
