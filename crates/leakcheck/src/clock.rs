//! Wall time, independent of any runtime: a coarse clock for the hooks, and a sleep that a runtime's paused clock cannot stop.
//!
//! One thread of the process serves both. A look at the system's clock costs half of what the whole record of a task may
//! cost, so the hooks read a number that this thread renews.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    pin::Pin,
    sync::{
        Arc, Condvar, LazyLock, Mutex, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::lock::lock;

/// How often the coarse clock is renewed. An age is exact to this.
const TICK: Duration = Duration::from_millis(50);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static COARSE_MS: AtomicU64 = AtomicU64::new(0);
static TIMERS: Timers = Timers { heap: Mutex::new(BinaryHeap::new()), earlier: Condvar::new() };

/// Milliseconds since the process began to check, as of the last tick.
pub(crate) fn coarse_ms() -> u64 {
    COARSE_MS.load(Ordering::Relaxed)
}

/// Milliseconds since the process began to check, now.
pub(crate) fn now_ms() -> u64 {
    milliseconds(START.elapsed())
}

/// In 64 bits: 32 of them are 49 days, and a service may be watched for longer.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Renews the coarse clock now, and starts the thread that renews it from then on.
pub(crate) fn refresh() {
    static THREAD: Once = Once::new();
    COARSE_MS.store(now_ms(), Ordering::Relaxed);
    // Without the thread, ages stand still and sleeps do not end. A process that cannot start a thread fails sooner elsewhere.
    THREAD.call_once(|| drop(thread::Builder::new().name("leakcheck-clock".into()).spawn(|| TIMERS.run())));
}

/// Completes after this much wall time, whatever a runtime's clock does.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep { deadline: Instant::now() + duration, waker: None }
}

pub(crate) struct Sleep {
    deadline: Instant,
    /// Shared with the timer; `None` before the first poll.
    waker: Option<Arc<Mutex<Option<Waker>>>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let waker = self.waker.get_or_insert_with(|| {
            let waker = Arc::default();
            TIMERS.add(deadline, Arc::clone(&waker));
            waker
        });
        // The waker is stored before the time is compared, so a timer that fires in between finds the waker.
        *lock(waker) = Some(cx.waker().clone());
        if Instant::now() >= deadline { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    /// The timer stays until it fires. Without the waker it keeps no task in memory until then.
    fn drop(&mut self) {
        if let Some(waker) = &self.waker {
            lock(waker).take();
        }
    }
}

struct Timers {
    heap: Mutex<BinaryHeap<Reverse<Timer>>>,
    earlier: Condvar,
}

impl Timers {
    fn add(&self, deadline: Instant, waker: Arc<Mutex<Option<Waker>>>) {
        let mut heap = lock(&self.heap);
        heap.push(Reverse(Timer { deadline, waker }));
        // The thread sees a timer with a later deadline at its next tick.
        if deadline < Instant::now() + TICK {
            self.earlier.notify_one();
        }
    }

    fn run(&self) {
        let mut heap = lock(&self.heap);
        loop {
            let now = Instant::now();
            COARSE_MS.store(now_ms(), Ordering::Relaxed);
            while heap.peek().is_some_and(|next| next.0.deadline <= now) {
                let waker = heap.pop().and_then(|next| lock(&next.0.waker).take());
                waker.into_iter().for_each(Waker::wake);
            }
            let wait = heap.peek().map_or(TICK, |next| TICK.min(next.0.deadline.saturating_duration_since(now)));
            heap = self.earlier.wait_timeout(heap, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

struct Timer {
    deadline: Instant,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.deadline == other.deadline
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.deadline.cmp(&other.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_service_that_runs_for_months_does_not_wrap() {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        assert_eq!(milliseconds(days(100)) - milliseconds(days(40)), 60 * 24 * 60 * 60 * 1_000);
    }
}
