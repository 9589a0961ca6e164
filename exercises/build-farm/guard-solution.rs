//! A guard that tells the leak from its fix.

use exercise::World as _;

use crate::world::World;

// The forge lives as long as the test.
#[leakcheck::test(allow = "world.rs")]
async fn a_tool_that_crashes_leaves_nobody_waiting() {
    let world = World::open().await.unwrap();
    let builds = leakcheck::scope();
    // Two of eight crash, at different steps; with good tools only this test would pass on the leak.
    exercise::all((0..8).map(|commit| world.unit(commit))).await.unwrap();
    builds.assert().await;
    // A farm that forgets those builds leaves no task either.
    assert_eq!(world.ledger().unfinished(), 0, "builds without a report");
    assert_eq!(world.farm.steps_under_way(), 0, "steps that nobody works at");
}
