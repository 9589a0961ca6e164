//! A guard that tells the late end from the end.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_logout_leaves_no_task_behind() {
    let world = World::open().await.unwrap();
    let visits = leakcheck::scope();
    exercise::all((0..8).map(|customer| world.unit(customer))).await.unwrap();
    // Those who logged in before are still there, and their limit has not passed.
    visits.assert().await;
}
