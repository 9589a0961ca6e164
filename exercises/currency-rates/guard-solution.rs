//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_price_leaves_no_connection_behind() {
    let world = World::open().await.unwrap();
    let prices = leakcheck::scope();
    for shopper in 0..5 {
        world.unit(shopper).await.unwrap();
    }
    // The converter lives on; the conversations are over.
    prices.assert().await;
}
