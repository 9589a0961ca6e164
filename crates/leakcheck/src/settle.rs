//! Waits until the tasks that are checked have ended: not at all where nothing is left, and never longer than stated.

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
    probe::{self, Activity, Stopwatch},
    registry::Registry,
    report::{Allowed, Body, Report},
    tally::PollTracker,
};

/// First pause between two looks in real time; it doubles up to the second.
const PAUSE_MIN: Duration = Duration::from_micros(50);
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// How often the check yields to the runtime before the first wait.
const YIELDS: usize = 8;
/// Wall time for which virtual time may run without a break. A ticker of 1 ms needs some 20 ms of it.
const VIRTUAL_WALL_MAX: Duration = Duration::from_millis(40);
/// The first step of virtual time is this part of its limit.
const VIRTUAL_STEPS: u32 = 1_000;

/// How long tasks may take to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of wall time, in any case.
    pub(crate) wall: Duration,
    /// Of wall time, while threads work or a timer is pending and the clock cannot be paused.
    pub(crate) wall_if_active: Duration,
    /// Of virtual time, where the clock can be paused.
    pub(crate) virtual_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_millis(200),
            wall_if_active: Duration::from_millis(2_500),
            virtual_time: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// One limit for all three.
    pub(crate) fn all(limit: Duration) -> Self {
        Self { wall: limit, wall_if_active: limit, virtual_time: limit }
    }
}

/// What is checked: the tasks of one runtime that were spawned since a generation began.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) registry: Arc<Registry>,
    pub(crate) handle: Handle,
    pub(crate) since: u64,
    /// How many threads of the blocking pool were busy when the check or its scope began.
    pub(crate) blocking_before: usize,
    /// How many threads of the blocking pool may be busy.
    pub(crate) blocking_allowed: usize,
    /// How many tasks were alive when the check or its scope began, for builds in which the registry does not know the tasks.
    #[cfg_attr(tokio_unstable, expect(dead_code, reason = "the registry knows the tasks"))]
    pub(crate) alive_before: usize,
    /// Whether the checker built the runtime, and may therefore pause its clock.
    pub(crate) own: bool,
}

impl Subject {
    /// Whether nothing is left. Takes a few loads where only allowed tasks are alive.
    pub(crate) fn is_quiet(&self) -> bool {
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

    /// How many threads of the blocking pool are busy, without those that were busy before or may be busy.
    fn blocking(&self) -> usize {
        busy(&self.handle).saturating_sub(self.blocking_before + self.blocking_allowed)
    }

    /// Waits. Returns `None` if nothing is left; otherwise the polls that were seen, to tell parked tasks from live ones.
    pub(crate) async fn settle(&self, limits: Limits) -> Option<PollTracker> {
        for _ in 0..YIELDS {
            if self.is_quiet() {
                return None;
            }
            task::yield_now().await;
        }
        let mut polls = self.track_polls();
        // A scope may be asked on another runtime. That runtime's thread and clock are not those of the tasks.
        let here = Handle::current().id() == self.handle.id();
        if here && self.is_current_thread() {
            // Such a runtime did not start the thread that drives it, so no hook has added the thread.
            self.registry.threads.add_current();
        }
        let paused = here && is_paused();
        let mut left = limits.virtual_time;
        if paused {
            match self.in_virtual_time(&mut left).await {
                Settled::Quiet => return None,
                Settled::LimitReached if self.nothing_outside() => return Some(polls),
                _ => {}
            }
        }
        let watch = Stopwatch::start();
        if paused {
            // A paused runtime that waits for real time is idle, and would jump to the next timer, however far away.
            time::resume();
        }
        let quiet = self.in_real_time(&watch, limits, &mut polls).await;
        if paused {
            time::pause();
        }
        if quiet {
            return None;
        }
        loop {
            let settled = match paused {
                // A busy blocking pool stops virtual time.
                _ if self.blocking() > 0 => Settled::LimitReached,
                true => self.in_virtual_time(&mut left).await,
                false if here => self.with_a_paused_clock(&mut left).await,
                false => Settled::LimitReached,
            };
            match settled {
                Settled::Quiet => return None,
                // A task that stops virtual time is never idle, so it works, and may still end.
                Settled::Stopped if watch.undelayed() < limits.wall_if_active => {}
                _ => return (!self.is_quiet()).then_some(polls),
            }
        }
    }

    /// The report after `settle`. If `settle` found nothing left, the report is clean: tasks that other threads have
    /// spawned since had no time to end.
    pub(crate) fn verdict(&self, polls: Option<&PollTracker>, body: Body) -> Report {
        if polls.is_some() {
            return self.report(polls, body);
        }
        let busy = busy(&self.handle).saturating_sub(self.blocking_before);
        let panics = self.registry.panics.since(self.since);
        Report { body, allowed: self.with_blocking(self.registry.allowed(), busy), panics, ..Report::default() }
    }

    /// What is left now.
    pub(crate) fn report(&self, polls: Option<&PollTracker>, body: Body) -> Report {
        let mut report = Report::take(&self.registry, self.since, polls, body);
        let busy = busy(&self.handle).saturating_sub(self.blocking_before);
        report.blocking = busy.saturating_sub(self.blocking_allowed);
        report.unnamed = self.unnamed();
        report.allowed = self.with_blocking(report.allowed, busy);
        report
    }

    /// What each allowance covers, with that of blocking threads.
    fn with_blocking(&self, mut allowed: Vec<Allowed>, busy: usize) -> Vec<Allowed> {
        if self.blocking_allowed > 0 {
            let (allowance, tasks) = ("blocking threads".to_owned(), busy.min(self.blocking_allowed));
            allowed.push(Allowed { allowance, tasks, given: true, surplus: 0 });
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

    pub(crate) fn track_polls(&self) -> PollTracker {
        PollTracker::start(&self.registry)
    }

    pub(crate) fn is_current_thread(&self) -> bool {
        self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread
    }

    /// Looks again and again until the limit, and beyond the limit while the runtime's threads are active. Returns whether
    /// nothing is left.
    async fn in_real_time(&self, watch: &Stopwatch, limits: Limits, polls: &mut PollTracker) -> bool {
        let mut pause = PAUSE_MIN;
        let mut counts_reset = false;
        let mut until = limits.wall;
        loop {
            if self.is_quiet() {
                return true;
            }
            polls.update(&self.registry);
            if !counts_reset && watch.wall() >= limits.wall / 2 {
                // In the first half, a task may still be on its way to the line where it waits. Its polls in the second
                // half tell its state.
                self.registry.reset_polls();
                counts_reset = true;
            }
            let left = until.saturating_sub(watch.wall());
            if left.is_zero() {
                let (undelayed, most) = (watch.undelayed(), limits.wall_if_active);
                if undelayed >= limits.wall && (undelayed >= most || !self.is_active(most).await) {
                    return self.is_quiet();
                }
                until = watch.wall() + PAUSE_MAX;
                continue;
            }
            clock::sleep(pause.min(left)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Whether a longer wait makes sense. A pending timer does not count where the clock will be paused next. The kernel
    /// tells the limit of a thread's wait as it was when that wait began, so `within` is the whole time that an active
    /// runtime gets, not what is left of that time.
    async fn is_active(&self, within: Duration) -> bool {
        if self.own && self.is_current_thread() && self.blocking() == 0 {
            return false;
        }
        probe::look_twice(self.registry.clone(), idle(&self.handle), within).await != Activity::Waiting
    }

    /// Lets virtual time pass up to what is left of its limit. An idle runtime jumps from timer to timer.
    async fn in_virtual_time(&self, left: &mut Duration) -> Settled {
        let mut watchdog = std::pin::pin!(clock::sleep(VIRTUAL_WALL_MAX));
        // The steps grow, because most of the tasks that end at all end soon.
        let mut step = *left / VIRTUAL_STEPS;
        while !left.is_zero() {
            let begun = time::Instant::now();
            let stopped = select! {
                // Virtual time stands still while a task is never idle, or a thread of the blocking pool is busy.
                () = &mut watchdog => true,
                () = time::sleep(step.min(*left)) => false,
            };
            *left = left.saturating_sub(begun.elapsed());
            if self.is_quiet() {
                return Settled::Quiet;
            }
            if stopped {
                return Settled::Stopped;
            }
            step *= 10;
        }
        Settled::LimitReached
    }

    /// Lets virtual time pass on a runtime that the checker built, and pauses the clock meanwhile.
    async fn with_a_paused_clock(&self, left: &mut Duration) -> Settled {
        if !self.own || !self.is_current_thread() {
            return Settled::LimitReached;
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
    /// Virtual time has reached its limit, and something is left.
    LimitReached,
    /// Virtual time stood still before its limit.
    Stopped,
}

/// How many threads of the blocking pool run a closure, or are about to.
#[cfg(tokio_unstable)]
pub(crate) fn busy(handle: &Handle) -> usize {
    let metrics = handle.metrics();
    // The difference saturates, because a thread that becomes idle between the two loads would make it negative. The queue
    // is not added: a closure whose thread has yet to start is counted as that thread already, and the workers of a
    // multi_thread runtime begin in the queue.
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
    // Only the clock of a current_thread runtime can be paused. A paused clock stands still until the runtime is idle, so
    // it shows the same time before and after the real clock has moved.
    if Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread {
        return false;
    }
    let (tokio, real) = (time::Instant::now(), Instant::now());
    while Instant::now() == real {}
    time::Instant::now() == tokio
}
