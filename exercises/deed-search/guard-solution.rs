//! A guard that tells the leak from its fix. What stays is no task but a thread of the pool: leakcheck counts those that are busy, and cannot name the
//! line that asked for them, because Tokio keeps none.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_lookup_that_is_over_keeps_no_thread() {
    let world = World::open().await.unwrap();
    let lookups = leakcheck::scope();
    // One of each case: one is too common, one notary leaves, one name is sealed.
    exercise::all((0..6).map(|n| world.unit(n))).await.unwrap();
    // The registers live on: their end would end the client's wait.
    lookups.assert().await;
    world.close().await.unwrap();
}
