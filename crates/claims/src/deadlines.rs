//! Claims about time limits: one for all of a call, and one for each
//! of its layers.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use crate::claim::{Claim, alive, paused};

pub(crate) const CLAIMS: &[Claim] = &[Claim::steady(
    "deadline-passed-on",
    "a deadline that is passed on ends every layer at the same moment; limits of their own add up",
    || paused(deadline_passed_on()),
)];

// ANCHOR: deadline-passed-on
/// Ten calls go through three layers, each a task of its own, as
/// behind a queue or a network. The last one never answers.
async fn deadline_passed_on() -> anyhow::Result<Value> {
    let (given_up, deadline, left) = ten_calls(Limit::At).await;
    let (_, budgets, left_behind) = ten_calls(Limit::Own).await;
    Ok(json!({
        "calls_given_up": given_up,
        "deadline_ms": deadline.as_millis() as u64,
        "tasks_left": left,
        "budgets_added_ms": budgets.as_millis() as u64,
        "tasks_left_with_budgets": left_behind,
    }))
}

#[derive(Clone, Copy)]
enum Limit {
    /// The deadline of the call, handed down.
    At,
    /// A budget of the layer's own, from when it was called.
    Own,
}

const BUDGET: Duration = Duration::from_millis(100);
const WORK: Duration = Duration::from_millis(80);

/// How many were given up, when the last layer ended, and how many
/// tasks were still at work when the callers had gone.
async fn ten_calls(limit: Limit) -> (usize, Duration, usize) {
    let (began, mut given_up) = (Instant::now(), 0);
    let (at_work, mut ends) = mpsc::channel::<()>(1);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let call =
                layer(2, limit, began + BUDGET, at_work.clone());
            tokio::spawn(call)
        })
        .collect();
    drop(at_work);
    let callers = async {
        for call in calls {
            given_up += usize::from(call.await.is_ok_and(|ok| !ok));
        }
        sleep(Duration::from_millis(1)).await;
        alive()
    };
    let last_layer = async {
        ends.recv().await; // None, for nobody sends.
        began.elapsed()
    };
    let (left, end) = tokio::join!(callers, last_layer);
    (given_up, end, left)
}

/// Works, then asks the layer below. False when it gave up.
fn layer(
    below: u32,
    limit: Limit,
    deadline: Instant,
    at_work: mpsc::Sender<()>,
) -> BoxFuture<'static, bool> {
    let deadline = match limit {
        Limit::At => deadline,
        Limit::Own => Instant::now() + BUDGET,
    };
    let work = async move {
        sleep(WORK).await;
        match below {
            0 => at_work.closed().await, // It never answers.
            _ => {
                let below =
                    layer(below - 1, limit, deadline, at_work);
                let _ = tokio::spawn(below).await;
            }
        }
    };
    async move { timeout_at(deadline, work).await.is_ok() }.boxed()
}
// ANCHOR_END: deadline-passed-on
