//! A guard that tells the leak from its fix. What stays is no task but a handle of one that has ended, and a leak test sees tasks only. So what is
//! asserted is the service's own count: without `nothing_is_held` this test passes on both.

use std::time::Duration;

use exercise::World as _;
use tokio::time::{sleep, timeout};

use crate::world::World;

/// No mail takes so long.
const MAIL_MAX: Duration = Duration::from_secs(5);

#[leakcheck::test]
async fn a_mail_that_is_delivered_is_not_held() {
    let world = World::open().await.unwrap();
    let mails = leakcheck::scope();
    // One of four bounces.
    exercise::all((0..8).map(|invoice| world.unit(invoice))).await.unwrap();
    // The mailer lives on; only the mails are over.
    mails.assert().await;
    timeout(MAIL_MAX, nothing_is_held(&world)).await.expect("mails are held that are over");
    world.close().await.unwrap();
}

async fn nothing_is_held(world: &World) {
    while world.mailer.held() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
}
