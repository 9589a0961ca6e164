//! The outside world: the customers' rows, the press, and the log that every panic reaches.

use std::{
    panic,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::sleep;

/// Chapters of a report, and tasks that set it.
pub(crate) const CHAPTERS: usize = 4;
/// Every so many customers, one has typed an amount by hand.
const TYPED_EVERY: u64 = 4;
/// The chapter with that amount. It is not the first.
const TYPED_IN: usize = 2;
/// What fonts take, and what paper takes.
const STEP: Duration = Duration::from_millis(2);

/// A panic hook, as many a service has one: prints the first. The default hook prints them all; the stage counts them.
pub(crate) fn log_first_panic() {
    let is_logged = AtomicBool::new(false);
    panic::set_hook(Box::new(move |info| {
        if !is_logged.swap(true, Ordering::Relaxed) {
            eprintln!("{info} (later panics are counted)");
        }
    }));
}

/// The amounts of one chapter, as the customer's books have them.
pub(crate) fn amounts(
    customer: u64,
    chapter: usize,
) -> [&'static str; 3] {
    let typed = customer % TYPED_EVERY == TYPED_EVERY - 1;
    let last =
        if typed && chapter == TYPED_IN { "1 200" } else { "1200" };
    ["310", "45", last]
}

/// Loads the fonts.
pub(crate) async fn fonts() {
    sleep(STEP).await;
}

/// Prints a chapter, with its page numbers. A real press would be another machine, and the wait would have a limit.
pub(crate) async fn print(_chapter: usize, _first_page: usize) {
    sleep(STEP).await;
}
