//! Gives a runtime its turn: what is on its way to a task when a check begins may be about to spawn another one.

use std::{future::poll_fn, pin::pin};

use tokio::task;

use crate::{probe, subject::Subject};

/// How many turns a runtime gets to come to rest, before the check waits.
const TURNS: usize = 8;

/// Whether the runtime has had a whole turn with its I/O driver in which no task was polled and none was born, with nothing
/// queued and no thread at work.
pub(crate) async fn is_idle(subject: &Subject) -> bool {
    for _ in 0..TURNS {
        let before = work(subject);
        let own_polls = take_turn().await;
        if !subject.is_clear() {
            return false;
        }
        let wanted = Work { polls: before.polls + own_polls, ..before };
        if rests(subject) && work(subject) == wanted {
            return true;
        }
    }
    false
}

/// Gives the runtime its turns until it rests. A paused clock stands still meanwhile.
pub(crate) async fn come_to_rest(subject: &Subject) {
    for _ in 0..TURNS {
        let before = work(subject);
        let own_polls = take_turn().await;
        if rests(subject) && work(subject) == (Work { polls: before.polls + own_polls, ..before }) {
            return;
        }
    }
}

/// What a runtime has done since it was built.
#[derive(PartialEq, Eq)]
struct Work {
    polls: u64,
    spawns: u64,
}

fn work(subject: &Subject) -> Work {
    #[cfg(tokio_unstable)]
    let spawns = subject.handle.metrics().spawned_tasks_count();
    #[cfg(not(tokio_unstable))]
    let spawns = 0;
    Work { polls: subject.registry.threads.polls_begun(), spawns }
}

/// Yields. A runtime polls its driver before it wakes those that yielded, and everything that is queued comes before them.
/// Returns how often the calling task was polled meanwhile.
async fn take_turn() -> u64 {
    let mut turn = pin!(task::yield_now());
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        turn.as_mut().poll(cx)
    })
    .await;
    // The first poll had begun before the turn. Outside of a task, nobody counts.
    if task::try_id().is_some() { polls - 1 } else { 0 }
}

/// Whether nothing is queued, and no thread of the runtime but the caller's works. The caller's own driver had its turn.
fn rests(subject: &Subject) -> bool {
    let metrics = subject.handle.metrics();
    #[cfg(tokio_unstable)]
    let queued: usize = (0..metrics.num_workers()).map(|worker| metrics.worker_local_queue_depth(worker)).sum();
    #[cfg(not(tokio_unstable))]
    let queued = 0;
    let alone = subject.is_current_thread() && subject.is_here();
    metrics.global_queue_depth() + queued == 0 && (alone || probe::at_rest(&subject.registry.threads))
}
