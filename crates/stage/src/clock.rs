//! How late this process is: a thread that does nothing but sleep and look at the time, and what the system says of the others.

use std::{
    collections::HashMap,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::wire::Lateness;

/// The thread sleeps this long each time.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// Time is judged in windows of about this length: late, or not.
const WINDOW: Duration = Duration::from_millis(250);
/// A shorter window says nothing.
const WINDOW_MIN: Duration = Duration::from_millis(100);
/// A window is late when its timer came later than this…
///
/// On two cores with 0, 2 and 20 busy processes the latest timers of 280 windows were 15, 13 and 17 ms late: a thread that sleeps is served
/// first. In a group of processes that gets a fraction of a core, half of them were 44 ms late.
const TIMER_LATE_MAX: Duration = Duration::from_millis(60);
/// …or when one thread had to wait for a processor for this share of it.
const WAITED_SHARE_MAX: f64 = 0.75;
/// A run is too busy to be judged when this share of its windows was late, and so is a unit when this share of its life was.
///
/// The share of late windows on two cores, three or four scenarios' programs at once. With 2 busy processes beside them: 0 in 23 runs,
/// 0.03 in one more, 0.05 in a program that never sleeps. With 20 busy processes: 0.28 to 0.48 in five runs, 0.13 and 0 in two whose
/// programs mostly sleep; all seven were judged right. Where units timed out after 20 s, it was 0.99. Below this share a run is judged
/// if it did what its side states; [`crate::wire::LATE_SHARE_DIFFERS`] is for one that did not.
const LATE_SHARE_MAX: f64 = 0.25;
/// No more threads than this are looked at.
const THREADS_MAX: usize = 512;

/// Measures lateness from [`Clock::begin`] on.
pub(crate) struct Clock(Mutex<Measured>);

/// A moment, to ask later whether the process was late since.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    late: Duration,
}

struct Measured {
    is_begun: bool,
    timer_late: Duration,
    timer_late_max: Duration,
    waited: Duration,
    /// The length of all windows, and of those that were late.
    measured: Duration,
    late: Duration,
    window: Window,
    /// How long each thread had waited when it was last looked at.
    threads: Waits,
}

type Waits = HashMap<u32, Duration>;

struct Window {
    began: Instant,
    /// When the timer came last. It may be overdue when the window ends.
    ticked: Instant,
    timer_late_max: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Measured::from(Instant::now(), Waits::new())))
    }

    /// Forgets what was measured before the load.
    pub(crate) fn begin(&self) {
        let mut measured = self.lock();
        if !measured.is_begun {
            *measured = Measured { is_begun: true, ..Measured::from(Instant::now(), waits()) };
        }
    }

    /// Sleeps for one tick, and keeps how much longer it is since the last one.
    pub(crate) fn tick(&self) {
        std::thread::sleep(TICK);
        self.lock().ticked(Instant::now());
        self.close_window(WINDOW);
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { at: Instant::now(), late: self.lock().late }
    }

    /// True when the process was late for a good part of the time since. What ended at once did not end because it was late.
    pub(crate) fn was_late_since(&self, since: Moment) -> bool {
        let life = since.at.elapsed();
        if life < WINDOW_MIN {
            return false;
        }
        self.close_window(WINDOW_MIN);
        let late = self.lock().late.saturating_sub(since.late);
        late > Duration::ZERO && late.as_secs_f64() >= life.as_secs_f64() * LATE_SHARE_MAX
    }

    pub(crate) fn lateness(&self, units_late: u64) -> Lateness {
        self.close_window(WINDOW_MIN);
        let measured = self.lock();
        let share = measured.late.as_secs_f64() / measured.measured.as_secs_f64().max(0.001);
        Lateness {
            timer_late_ms: measured.timer_late.as_millis() as u64,
            timer_late_ms_max: measured.timer_late_max.as_millis() as u64,
            waited_ms: measured.waited.as_millis() as u64,
            share,
            too_busy: share > LATE_SHARE_MAX || units_late > 0,
        }
    }

    /// Judges the window that ends now, when it is long enough. Reads without the lock: units ask for the time.
    fn close_window(&self, length_min: Duration) {
        if self.lock().window.began.elapsed() >= length_min {
            let threads = waits();
            self.lock().close_window(Instant::now(), threads);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Measured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measured {
    fn from(now: Instant, threads: Waits) -> Self {
        let zero = Duration::ZERO;
        let window = Window { began: now, ticked: now, timer_late_max: zero };
        let is_begun = false;
        Self {
            is_begun,
            timer_late: zero,
            timer_late_max: zero,
            waited: zero,
            measured: zero,
            late: zero,
            window,
            threads,
        }
    }

    /// Between two ticks is the sleep, and what little the clock does besides: it may be held up there, too.
    fn ticked(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.window.ticked).saturating_sub(TICK);
        self.timer_late += late;
        self.timer_late_max = self.timer_late_max.max(late);
        self.window.timer_late_max = self.window.timer_late_max.max(late);
        self.window.ticked = now;
    }

    /// `threads` is what they had waited by `now`. A window that somebody closed a moment ago says nothing.
    fn close_window(&mut self, now: Instant, threads: Waits) {
        let length = now.saturating_duration_since(self.window.began);
        if length < WINDOW_MIN {
            return;
        }
        let waited =
            |(id, now): (&u32, &Duration)| now.saturating_sub(self.threads.get(id).copied().unwrap_or_default());
        let (sum, longest) = threads
            .iter()
            .map(waited)
            .fold(Default::default(), |(sum, max): (Duration, Duration), one| (sum + one, max.max(one)));
        let overdue = now.saturating_duration_since(self.window.ticked).saturating_sub(TICK);
        let timer_late_max = overdue.max(std::mem::take(&mut self.window.timer_late_max));
        self.window.began = now;
        self.threads = threads;
        self.waited += sum;
        self.measured += length;
        if timer_late_max > TIMER_LATE_MAX || longest.as_secs_f64() > length.as_secs_f64() * WAITED_SHARE_MAX {
            self.late += length;
        }
    }
}

/// How long each thread of this process was ready to run and had no processor, since it started; Linux only.
fn waits() -> Waits {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Waits::new() };
    let wait = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos = stat.split_whitespace().nth(1)?.parse().ok()?;
        Some((thread.file_name().to_str()?.parse().ok()?, Duration::from_nanos(nanos)))
    };
    threads.flatten().take(THREADS_MAX).filter_map(wait).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Windows of which each has a timer that is so late and a thread that waits so long, in milliseconds.
    fn late_after(windows: &[(u32, u32)]) -> u128 {
        let mut now = Instant::now();
        let mut measured = Measured::from(now, Waits::from([(7, 5 * MS)]));
        let mut waited = 5 * MS;
        for &(late, waits) in windows {
            now += WINDOW;
            waited += waits * MS;
            measured.window.ticked = now - TICK - late * MS;
            measured.ticked(now);
            measured.close_window(now, Waits::from([(7, waited)]));
        }
        assert_eq!(measured.measured, WINDOW * windows.len() as u32);
        measured.late.as_millis()
    }

    #[test]
    fn a_window_is_late_by_its_timer_or_by_a_thread_that_waits() {
        let (timer, wait) = (TIMER_LATE_MAX.as_millis() as u32, (WINDOW.as_millis() as f64 * WAITED_SHARE_MAX) as u32);
        assert_eq!(late_after(&[(0, 0), (timer, wait)]), 0);
        assert_eq!(late_after(&[(timer + 1, 0), (0, 0)]), 250);
        assert_eq!(late_after(&[(0, wait + 1), (0, 0), (timer + 1, wait + 1)]), 500);
    }

    #[test]
    fn a_short_window_is_not_judged() {
        let now = Instant::now();
        let mut measured = Measured::from(now, Waits::new());
        measured.ticked(now + Duration::from_secs(1));
        measured.close_window(now + WINDOW_MIN - MS, Waits::from([(7, Duration::from_secs(1))]));
        assert_eq!((measured.measured, measured.late), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn a_timer_that_is_overdue_is_late_before_it_comes() {
        let now = Instant::now();
        let mut measured = Measured::from(now, Waits::new());
        measured.ticked(now);
        measured.close_window(now + WINDOW, Waits::new());
        assert_eq!(measured.late, WINDOW);
    }

    #[test]
    fn a_clock_that_nobody_held_up_knows_of_no_late_unit() {
        let clock = Clock::new();
        clock.begin();
        assert!(!clock.was_late_since(clock.moment()));
        assert!(clock.lateness(1).too_busy, "a late unit spoils the run");
    }
}
