//! Three steps, of which one fails: what is left, what runs on and where work is cut, by the form that holds them, as a table.
//!
//! Run it: `cargo run --example first-error-forms`

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::{
    runtime::Handle,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

/// The clock is paused: an hour passes as soon as nothing can move.
const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

type Answer = anyhow::Result<()>;
/// What became of the booking, and when.
type Booking = Arc<Mutex<Option<(&'static str, Instant)>>>;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head = "| form | error after | tasks left then | an hour later | the booking |";
    let mut table = format!("{head}\n|---|---|--:|--:|---|\n");
    table +=
        &row("`try_join!(a, b, c)`, handles as they are", raw).await;
    table += &row("`try_join_all(handles)`, flattened", all).await;
    table += &row("`TaskTracker`, dropped", tracker_dropped).await;
    table += &row("`try_join!`, plain futures", plain).await;
    table +=
        &row("`try_join_all`, `AbortOnDropHandle`s", aborting).await;
    table += &row("`JoinSet`, dropped", set_dropped).await;
    table +=
        &row("`JoinSet`, `shutdown().await`", set_shut_down).await;
    table += &row("`TaskTracker` and token, waited for", owned).await;
    table
}

// ANCHOR: row
async fn row(
    form: &str,
    run: impl AsyncFnOnce(Booking) -> Answer,
) -> String {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let (before, booking) = (alive(), Booking::default());
    let began = Instant::now();
    let returned = match timeout(HOUR, run(booking.clone())).await {
        Ok(answer) => {
            assert!(answer.is_err(), "{form}");
            format!("{:.1} s", began.elapsed().as_secs_f64())
        }
        Err(_) => "never".to_owned(),
    };
    let (then, now) = (alive() - before, Instant::now());
    sleep(HOUR).await;
    let later = alive() - before;
    let (what, at) = booking.lock().unwrap().expect("it has ended");
    let when = if at > now { ", after the return" } else { "" };
    format!(
        "| {form} | {returned} | {then} | {later} | {what}{when} |\n"
    )
}
// ANCHOR_END: row

// ANCHOR: steps
/// Fails after a second.
async fn pack() -> Answer {
    sleep(SECOND).await;
    anyhow::bail!("sold out")
}

/// Two halves, two seconds apart.
async fn pay(booking: Booking, stop: CancellationToken) -> Answer {
    let mut step = Step { at: "cut at `debit().await`", booking };
    sleep(SECOND / 2).await;
    step.at = "cut at `transfer().await`";
    sleep(2 * SECOND).await;
    step.at = "finished";
    if stop.is_cancelled() {
        step.at = "finished and given back";
    }
    Ok(())
}

/// Waits for a parcel that is never packed.
async fn deliver(stop: CancellationToken) -> Answer {
    stop.cancelled().await;
    Ok(())
}
// ANCHOR_END: steps

/// Tells, when it is dropped, how far the booking has come.
struct Step {
    at: &'static str,
    booking: Booking,
}

impl Drop for Step {
    fn drop(&mut self) {
        *self.booking.lock().unwrap() =
            Some((self.at, Instant::now()));
    }
}

/// Nobody cancels this token.
fn never() -> CancellationToken {
    CancellationToken::new()
}

fn spawned(booking: Booking) -> [JoinHandle<Answer>; 3] {
    let pay = tokio::spawn(pay(booking, never()));
    [tokio::spawn(pack()), pay, tokio::spawn(deliver(never()))]
}

async fn raw(booking: Booking) -> Answer {
    let [a, b, c] = spawned(booking);
    let (a, b, c) = tokio::try_join!(a, b, c)?;
    a.and(b).and(c)
}

async fn all(booking: Booking) -> Answer {
    let steps = spawned(booking).map(async |step| step.await?);
    try_join_all(steps).await.map(drop)
}

async fn tracker_dropped(booking: Booking) -> Answer {
    let group = TaskTracker::new();
    let steps = [
        group.spawn(pack()),
        group.spawn(pay(booking, never())),
        group.spawn(deliver(never())),
    ];
    try_join_all(steps.map(async |step| step.await?)).await.map(drop)
}

async fn plain(booking: Booking) -> Answer {
    let (pay, deliver) = (pay(booking, never()), deliver(never()));
    tokio::try_join!(pack(), pay, deliver).map(drop)
}

async fn aborting(booking: Booking) -> Answer {
    let steps = spawned(booking).map(AbortOnDropHandle::new);
    try_join_all(steps.map(async |step| step.await?)).await.map(drop)
}

fn set(booking: Booking) -> JoinSet<Answer> {
    let mut set = JoinSet::new();
    set.spawn(pack());
    set.spawn(pay(booking, never()));
    set.spawn(deliver(never()));
    set
}

async fn set_dropped(booking: Booking) -> Answer {
    let mut set = set(booking);
    while let Some(step) = set.join_next().await {
        step??;
    }
    Ok(())
}

async fn set_shut_down(booking: Booking) -> Answer {
    let mut set = set(booking);
    let first = set.join_next().await.expect("three steps")?;
    set.shutdown().await;
    first
}

async fn owned(booking: Booking) -> Answer {
    let (group, stop) =
        (TaskTracker::new(), CancellationToken::new());
    let steps = [
        group.spawn(pack()),
        group.spawn(pay(booking, stop.clone())),
        group.spawn(deliver(stop.clone())),
    ];
    let answer =
        try_join_all(steps.map(async |step| step.await?)).await;
    stop.cancel();
    group.close();
    group.wait().await;
    answer.map(drop)
}

#[leakcheck::test(
    start_paused = true,
    allow = "scenarios/first-error/forms.rs"
)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("forms.md"));
}
