//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_client_that_hangs_up_leaves_nothing_behind() {
    let world = World::open().await.unwrap();
    let clients = leakcheck::scope();
    // Every fourth hangs up before its report is ready.
    for client in 0..8 {
        world.unit(client).await.unwrap();
    }
    clients.assert().await;
}
