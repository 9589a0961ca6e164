//! F9: how far virtual time goes is one setting, and how long real time is waited for is another.

use std::time::Duration;

use tokio::{sync::oneshot, time::sleep};

use crate::common::{Done, ONE_THREAD, on};

/// A short limit of real time cuts off no virtual time.
#[test]
fn a_short_settle_time_leaves_virtual_time_alone() {
    on(ONE_THREAD).checked_by(|checker| checker.settle(Duration::from_millis(20))).ends(|| async {
        Done::when(async {
            sleep(Duration::from_secs(9)).await;
            true
        })
    });
}

/// The same for a task that another one wakes.
#[test]
fn a_short_settle_time_leaves_a_chain_of_timers_alone() {
    on(ONE_THREAD).checked_by(|checker| checker.settle(Duration::from_millis(20))).ends(|| async {
        let (close, closed) = oneshot::channel::<()>();
        tokio::spawn(async move {
            for _ in 0..8 {
                sleep(Duration::from_secs(1)).await;
            }
            drop(close);
        });
        Done::when(async { closed.await.is_err() })
    });
}
