//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_laptop_that_is_put_to_sleep_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let evenings = leakcheck::scope();
    // One of each kind: a lid is closed before the first head, within a head, within a file, and between two files.
    exercise::all((0..8).map(|laptop| world.unit(laptop))).await.unwrap();
    // The service lives on, and no lid is opened.
    evenings.assert().await;
    world.close().await.unwrap();
}
