//! A guard that tells the leak from its fix. What is missing is no task but an engine, and a leak test sees tasks only. So what is asserted is
//! the service's own count: without `no_engine_is_at_work` this test passes on both.

use std::time::Duration;

use exercise::World as _;
use tokio::time::{sleep, timeout};

use crate::world::World;

/// An engine that nobody waits for is back sooner.
const BACK_MAX: Duration = Duration::from_secs(5);

#[leakcheck::test]
async fn a_page_that_is_closed_gives_its_engine_back() {
    let world = World::open().await.unwrap();
    let players = leakcheck::scope();
    // One of four closes the page; without those this test would pass on the leak.
    exercise::all((0..8).map(|player| world.unit(player))).await.unwrap();
    // The service lives on, and so do its engines.
    players.assert().await;
    timeout(BACK_MAX, no_engine_is_at_work(&world)).await.expect("an engine is at work, and nobody has asked");
    world.close().await.unwrap();
}

async fn no_engine_is_at_work(world: &World) {
    while world.analysis.at_work() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
}
