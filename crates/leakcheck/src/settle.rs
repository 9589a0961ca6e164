//! Waits until what was checked has come to rest: at once where nothing is left, and never longer than stated.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    select, task, time,
};

use crate::{
    clock,
    probe::{self, Outlook, Stopwatch},
    registry::{Observation, Registry},
    report::{Allowed, Body, Report},
    threads::Poll,
};

/// First pause between two looks in real time; it doubles up to the second.
const PAUSE_MIN: Duration = Duration::from_micros(50);
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// Times the runtime gets a turn before the clock is looked at.
const TURNS: usize = 8;
/// Wall time for which virtual time may run without a break. A ticker of 1 ms needs some 20 ms of it.
const VIRTUAL_WALL_MAX: Duration = Duration::from_millis(40);

/// A poll that lasts this long is one that never yields, if it goes on when the waiting is over.
pub(crate) const STUCK_MIN: Duration = Duration::from_millis(50);
/// The first step of virtual time is this part of the horizon.
const VIRTUAL_STEPS: u32 = 1_000;

/// How long tasks may take to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of wall time, in any case.
    pub(crate) wall: Duration,
    /// Of wall time, while threads work or a timer is pending and the clock cannot be paused.
    pub(crate) patience: Duration,
    /// Of virtual time, where the clock can be paused.
    pub(crate) horizon: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_millis(200),
            patience: Duration::from_millis(2_500),
            horizon: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// One limit for all three.
    pub(crate) fn all(limit: Duration) -> Self {
        Self { wall: limit, patience: limit, horizon: limit }
    }
}

/// What was seen while something was waited for.
pub(crate) struct Seen {
    /// The polls that are going on, and when each was first seen.
    polling: Vec<(Poll, Instant)>,
    _polls: Observation,
}

impl Seen {
    fn look(&mut self, registry: &Registry) {
        let now = Instant::now();
        let polls = registry.threads.polling().into_iter();
        let since = |poll| self.polling.iter().find(|seen| seen.0 == poll).map_or(now, |seen| seen.1);
        self.polling = polls.map(|poll| (poll, since(poll))).collect();
    }

    /// Whether a poll that goes on now went on long before.
    pub(crate) fn is_stuck(&self, poll: &Poll) -> bool {
        self.polling.iter().any(|(seen, since)| seen == poll && since.elapsed() >= STUCK_MIN)
    }
}

/// What is checked: the tasks of one runtime that were born since a generation began.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) registry: Arc<Registry>,
    pub(crate) handle: Handle,
    pub(crate) since: u32,
    /// Busy threads of the blocking pool that were there before.
    pub(crate) blocking_before: usize,
    /// Busy threads of the blocking pool that may be there.
    pub(crate) blocking_allowed: usize,
    /// Tasks that were there before, where the registry cannot tell them from those that came later.
    #[cfg_attr(tokio_unstable, expect(dead_code, reason = "the registry tells them apart"))]
    pub(crate) alive_before: usize,
    /// Whether the clock may be paused: on a runtime the checker built.
    pub(crate) own: bool,
}

impl Subject {
    /// Whether nothing is left. Costs a few loads where nothing but allowed tasks lives.
    pub(crate) fn quiet(&self) -> bool {
        let alive = self.handle.metrics().num_alive_tasks();
        (alive <= self.registry.allowed_alive() || !self.has_survivors()) && self.blocking() == 0
    }

    #[cfg(tokio_unstable)]
    fn has_survivors(&self) -> bool {
        self.registry.has_since(self.since)
    }

    #[cfg(not(tokio_unstable))]
    fn has_survivors(&self) -> bool {
        self.unnamed() > 0
    }

    /// Busy threads of the blocking pool, beyond those that were there before or may be there.
    fn blocking(&self) -> usize {
        busy(&self.handle).saturating_sub(self.blocking_before + self.blocking_allowed)
    }

    /// Waits. `None` if nothing is left; otherwise what was seen meanwhile, to tell parked tasks from live ones.
    pub(crate) async fn settle(&self, limits: Limits) -> Option<Seen> {
        for _ in 0..TURNS {
            if self.quiet() {
                return None;
            }
            task::yield_now().await;
        }
        let mut seen = self.begin_to_look();
        if self.is_current_thread() {
            // The thread that drives such a runtime was not started by it.
            self.registry.threads.remember();
        }
        let paused = is_paused();
        let mut left = limits.horizon;
        if paused {
            match self.in_virtual_time(&mut left).await {
                Settled::Quiet => return None,
                Settled::Rest if self.nothing_outside() => return Some(seen),
                _ => {}
            }
        }
        let watch = Stopwatch::start();
        if paused {
            // A paused runtime that waits for real time is idle, and would jump to the next timer, however far away.
            time::resume();
        }
        let quiet = self.in_real_time(&watch, limits, &mut seen).await;
        if paused {
            time::pause();
        }
        if quiet {
            return None;
        }
        loop {
            let settled = match paused {
                // A busy blocking pool stops virtual time.
                _ if self.blocking() > 0 => Settled::Rest,
                true => self.in_virtual_time(&mut left).await,
                false => self.with_a_paused_clock(&mut left).await,
            };
            match settled {
                Settled::Quiet => return None,
                // A task that is never idle works: it may still end.
                Settled::Stopped if watch.fair() < limits.patience => {}
                _ => return (!self.quiet()).then_some(seen),
            }
        }
    }

    /// After `settle`: what it left or, if all was quiet for a moment, nothing. What other threads have spawned since that
    /// moment had no time to settle.
    pub(crate) fn verdict(&self, seen: Option<&Seen>, body: Body) -> Report {
        if seen.is_some() {
            return self.report(seen, body);
        }
        let busy = busy(&self.handle).saturating_sub(self.blocking_before);
        Report { body, allowed: self.allowed(busy), ..Report::default() }
    }

    /// What is left now.
    pub(crate) fn report(&self, seen: Option<&Seen>, body: Body) -> Report {
        let mut report = Report::take(&self.registry, self.since, seen, body);
        let busy = busy(&self.handle).saturating_sub(self.blocking_before);
        report.blocking = busy.saturating_sub(self.blocking_allowed);
        report.unnamed = self.unnamed();
        report.allowed = self.allowed(busy);
        report
    }

    /// What each allowance covers now.
    fn allowed(&self, busy: usize) -> Vec<Allowed> {
        let mut allowed = self.registry.allowed();
        if self.blocking_allowed > 0 {
            let (allowance, tasks) = ("blocking threads".to_owned(), busy.min(self.blocking_allowed));
            allowed.push(Allowed { allowance, tasks, given: true });
        }
        allowed
    }

    #[cfg(tokio_unstable)]
    fn unnamed(&self) -> usize {
        0
    }

    #[cfg(not(tokio_unstable))]
    fn unnamed(&self) -> usize {
        self.handle.metrics().num_alive_tasks().saturating_sub(self.alive_before)
    }

    /// Begins to count polls.
    pub(crate) fn begin_to_look(&self) -> Seen {
        let mut seen = Seen { polling: Vec::new(), _polls: self.registry.observe() };
        seen.look(&self.registry);
        seen
    }

    pub(crate) fn is_current_thread(&self) -> bool {
        self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread
    }

    /// Looks again and again until the limit, and beyond it while the runtime's threads say that something will happen.
    async fn in_real_time(&self, watch: &Stopwatch, limits: Limits, seen: &mut Seen) -> bool {
        let mut pause = PAUSE_MIN;
        let mut looked_again = false;
        let mut until = limits.wall;
        loop {
            if self.quiet() {
                return true;
            }
            seen.look(&self.registry);
            if !looked_again && watch.wall() >= limits.wall / 2 {
                // At first tasks are still on their way to where they will wait. What they do from now on tells their state.
                self.registry.forget_polls();
                looked_again = true;
            }
            let left = until.saturating_sub(watch.wall());
            if left.is_zero() {
                let fair = watch.fair();
                if fair >= limits.wall && (fair >= limits.patience || !self.will_move(limits.patience).await) {
                    return self.quiet();
                }
                until = watch.wall() + PAUSE_MAX;
                continue;
            }
            clock::alarm(pause.min(left)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Whether waiting longer makes sense. Timers do not count where the clock will be paused next. The kernel tells a wait's
    /// limit as it was when the wait began, so it is held against all of the patience, not against what is left of it.
    async fn will_move(&self, within: Duration) -> bool {
        if self.own && self.is_current_thread() && self.blocking() == 0 {
            return false;
        }
        probe::look(self.registry.clone(), idle(&self.handle), within).await != Outlook::Still
    }

    /// Lets virtual time run for what is left of the horizon. The runtime jumps from timer to timer whenever it is idle.
    async fn in_virtual_time(&self, left: &mut Duration) -> Settled {
        let mut watchdog = std::pin::pin!(clock::alarm(VIRTUAL_WALL_MAX));
        // Longer and longer steps: most tasks that end at all end soon.
        let mut step = *left / VIRTUAL_STEPS;
        while !left.is_zero() {
            let begun = time::Instant::now();
            let stopped = select! {
                // A task that is never idle stops virtual time, and a busy blocking pool does too.
                () = &mut watchdog => true,
                () = time::sleep(step.min(*left)) => false,
            };
            *left = left.saturating_sub(begun.elapsed());
            if self.quiet() {
                return Settled::Quiet;
            }
            if stopped {
                return Settled::Stopped;
            }
            step *= 10;
        }
        Settled::Rest
    }

    /// Pauses the clock of a runtime that is the checker's own, for this once.
    async fn with_a_paused_clock(&self, left: &mut Duration) -> Settled {
        if !self.own || !self.is_current_thread() {
            return Settled::Rest;
        }
        time::pause();
        let settled = self.in_virtual_time(left).await;
        time::resume();
        settled
    }

    /// Whether no real event can be on its way: no socket is open, and no blocking closure runs.
    #[cfg(tokio_unstable)]
    fn nothing_outside(&self) -> bool {
        let metrics = self.handle.metrics();
        self.blocking() == 0 && metrics.io_driver_fd_registered_count() == metrics.io_driver_fd_deregistered_count()
    }

    #[cfg(not(tokio_unstable))]
    fn nothing_outside(&self) -> bool {
        true
    }
}

#[derive(PartialEq, Eq)]
enum Settled {
    /// Nothing is left.
    Quiet,
    /// The horizon is reached, and something is left.
    Rest,
    /// Virtual time did not get there.
    Stopped,
}

/// Threads of the blocking pool that run a closure, or are about to.
#[cfg(tokio_unstable)]
pub(crate) fn busy(handle: &Handle) -> usize {
    let metrics = handle.metrics();
    // Two loads: a thread that goes idle in between would make the difference negative. Not the queue: a closure whose thread
    // has yet to start is counted as that thread already, and a multi_thread runtime's own workers begin in the queue.
    metrics.num_blocking_threads().saturating_sub(metrics.num_idle_blocking_threads())
}

#[cfg(not(tokio_unstable))]
pub(crate) fn busy(_: &Handle) -> usize {
    0
}

#[cfg(tokio_unstable)]
pub(crate) fn idle(handle: &Handle) -> usize {
    handle.metrics().num_idle_blocking_threads()
}

#[cfg(not(tokio_unstable))]
pub(crate) fn idle(_: &Handle) -> usize {
    0
}

/// Whether the runtime's clock stands still while real time passes.
fn is_paused() -> bool {
    // Only a current_thread runtime's clock can be paused, and a virtual clock has whole milliseconds between its jumps.
    if Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread {
        return false;
    }
    let (tokio, real) = (time::Instant::now(), Instant::now());
    while Instant::now() == real {}
    time::Instant::now() == tokio
}
