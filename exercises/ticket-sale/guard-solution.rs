//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn an_order_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let orders = leakcheck::scope();
    // Of each four, three are sold and one is sold out: a test with sold tickets alone sees half of it.
    exercise::all((0..8).map(|order| world.unit(order))).await.unwrap();
    // The box office lives on; only the orders are over.
    orders.assert().await;
}
