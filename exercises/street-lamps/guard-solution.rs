//! A guard that tells the leak from its fix. What stays is no task but an entry of a map, with its number, and a leak test sees tasks only. So what
//! is asserted is the service's own count: without `no_number_is_in_use` this test passes on both.

use std::time::Duration;

use exercise::World as _;
use tokio::time::{sleep, timeout};

use crate::world::World;

/// The gateway says its last word sooner.
const LAST_WORD_MAX: Duration = Duration::from_secs(5);

#[leakcheck::test]
async fn a_page_that_was_closed_has_no_number() {
    let world = World::open().await.unwrap();
    let pages = leakcheck::scope();
    // Of each four pages one waits to the end, and three are closed before there is an answer.
    exercise::all((0..8).map(|page| world.unit(page))).await.unwrap();
    // The line lives on; only the pages are over.
    pages.assert().await;
    timeout(LAST_WORD_MAX, no_number_is_in_use(&world)).await.expect("numbers are in use, and no page has asked");
    world.close().await.unwrap();
}

async fn no_number_is_in_use(world: &World) {
    while world.line.in_use() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
}
