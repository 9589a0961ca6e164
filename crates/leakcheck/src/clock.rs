//! Wall time, independent of any runtime: a coarse clock for the hooks, and alarms that a paused runtime cannot stop.
//!
//! One thread of the process serves both. Reading the clock costs half of what a task's whole record may cost, so the hooks
//! read a number that this thread renews.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    pin::Pin,
    sync::{
        Arc, Condvar, LazyLock, Mutex, Once, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

/// How often the coarse clock is renewed: what an age may be wrong by.
const TICK: Duration = Duration::from_millis(50);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static COARSE_MS: AtomicU32 = AtomicU32::new(0);
static ALARMS: Alarms = Alarms { heap: Mutex::new(BinaryHeap::new()), earlier: Condvar::new() };

/// Milliseconds since the process began to check, as of the last tick.
pub(crate) fn coarse_ms() -> u32 {
    COARSE_MS.load(Ordering::Relaxed)
}

/// Milliseconds since the process began to check, now. Wraps after 49 days.
pub(crate) fn now_ms() -> u32 {
    START.elapsed().as_millis() as u32
}

/// Renews the coarse clock now, and sees to it that it ticks.
pub(crate) fn refresh() {
    static THREAD: Once = Once::new();
    COARSE_MS.store(now_ms(), Ordering::Relaxed);
    // Without the thread ages stand still and alarms do not ring; a process that cannot start a thread has other troubles.
    THREAD.call_once(|| drop(thread::Builder::new().name("leakcheck-clock".into()).spawn(|| ALARMS.run())));
}

/// Completes after this much wall time, whatever a runtime's clock does.
pub(crate) fn alarm(after: Duration) -> Alarm {
    Alarm { at: Instant::now() + after, state: None }
}

pub(crate) struct Alarm {
    at: Instant,
    state: Option<Arc<Mutex<Option<Waker>>>>,
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let state = self.state.get_or_insert_with(|| {
            let state = Arc::default();
            ALARMS.set(at, Arc::clone(&state));
            state
        });
        // First the waker, then the time: an alarm that rings in between finds the waker.
        *state.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if Instant::now() >= at { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Alarm {
    /// An alarm nobody waits for keeps no task in memory.
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

struct Alarms {
    heap: Mutex<BinaryHeap<Reverse<Ring>>>,
    earlier: Condvar,
}

impl Alarms {
    fn set(&self, at: Instant, waker: Arc<Mutex<Option<Waker>>>) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.push(Reverse(Ring { at, waker }));
        // Later alarms are seen at the next tick.
        if at < Instant::now() + TICK {
            self.earlier.notify_one();
        }
    }

    fn run(&self) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            COARSE_MS.store(now_ms(), Ordering::Relaxed);
            while heap.peek().is_some_and(|next| next.0.at <= now) {
                let due =
                    heap.pop().and_then(|next| next.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take());
                due.into_iter().for_each(Waker::wake);
            }
            let wait = heap.peek().map_or(TICK, |next| TICK.min(next.0.at.saturating_duration_since(now)));
            heap = self.earlier.wait_timeout(heap, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

struct Ring {
    at: Instant,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl PartialEq for Ring {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Ring {}

impl PartialOrd for Ring {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ring {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
