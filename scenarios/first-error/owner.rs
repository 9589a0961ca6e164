//! What the guard does not see of the fix: the owner answers last, and ends the group when its own caller leaves.

use std::time::Duration;

use tokio::{runtime::Handle, time::timeout};

use super::*;

#[leakcheck::test(start_paused = true)]
async fn no_step_is_under_way_when_the_answer_comes() {
    let (shop, orders) = (Arc::default(), leakcheck::scope());
    Shop::serve(&shop).await.unwrap();
    let alive = Handle::current().metrics();
    assert_eq!(alive.num_alive_tasks(), 0);
    assert_eq!(shop.bank.half_booked(), 0, "half booked");
    orders.assert().await;
}

#[leakcheck::test(start_paused = true)]
async fn a_caller_who_hangs_up_ends_the_group() {
    let shop = Arc::new(Shop::default());
    // The clock stands still, and the bank takes its time.
    let orders = leakcheck::scope().horizon(Duration::from_secs(1));
    let late = shop.serve();
    let patience = Duration::from_millis(250);
    // Between the two halves of a booking.
    assert!(timeout(patience, late).await.is_err());
    orders.assert().await;
    assert_eq!(shop.bank.charged(), 0, "paid for nothing");
    assert_eq!(shop.bank.half_booked(), 0, "money lost");
}
