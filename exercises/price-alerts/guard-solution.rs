//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_closed_page_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let pages = leakcheck::scope();
    // At once: after the last one has closed its page, no price comes any more.
    exercise::all((0..8).map(|customer| world.unit(customer))).await.unwrap();
    // The service lives on, and so does its feed; the messages under way end within their limit.
    pages.assert().await;
    world.close().await.unwrap();
}
