//! A guard that tells the leak from its fix. What stays is no task but an entry of a map, and a leak test sees tasks only. So what is
//! asserted is the service's own count: without `nobody_waits` this test passes on both.

use std::time::Duration;

use exercise::World as _;
use tokio::time::{sleep, timeout};

use crate::world::World;

/// No callback comes later than this, and no sweep takes longer.
const CALLBACK_MAX: Duration = Duration::from_secs(5);

// The peers live as long as the test.
#[leakcheck::test(allow = "world.rs")]
async fn a_customer_who_has_left_leaves_no_entry_behind() {
    let world = World::open().await.unwrap();
    let payments = leakcheck::scope();
    // One of each course: two customers give up, two hang up, one card is refused.
    exercise::all((0..8).map(|n| world.unit(n))).await.unwrap();
    // The checkout lives on.
    payments.assert().await;
    timeout(CALLBACK_MAX, nobody_waits(&world)).await.expect("entries are left of payments that are over");
    world.close().await.unwrap();
}

async fn nobody_waits(world: &World) {
    while world.checkout.waiting() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
}
