//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

#[leakcheck::test]
async fn a_case_that_is_closed_has_no_keeper() {
    let world = World::open().await.unwrap();
    let cases = leakcheck::scope();
    // Each four: two get a new key, and two keep the old one because the new one is no good.
    exercise::all((0..8).map(|case| world.unit(case))).await.unwrap();
    // The office is open, and so are the quiet cases: only those of the load are closed.
    cases.assert().await;
}
