//! Waits until the tasks that are checked have ended: not at all where nothing is left, and never longer than stated.
//!
//! The rule: a runtime's virtual time passes only where nothing outside can have a say. Otherwise the check waits in wall
//! time: longer while threads work or a timer is pending, longer still while something outside is open, and no longer than
//! until nothing can change.

use std::{
    future::poll_fn,
    pin::pin,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    select, task, time,
};

use crate::{
    ahead::{self, Prospect},
    clock,
    limits::{FIRST_LOOK, Limits},
    outside::{self, Outside},
    pool::{busy, idle},
    probe::{Activity, Stopwatch},
    report::Waited,
    subject::{Subject, Unsettled},
    tally::PollTracker,
    timers, turn,
};

/// First pause between two looks in real time; it doubles up to the second.
const PAUSE_MIN: Duration = Duration::from_micros(50);
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// Pause between two such looks.
const LOOK_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause in which a runtime whose clock must stand still is kept from its work.
const HELD_PAUSE_MAX: Duration = Duration::from_millis(1);
/// Wall time for which virtual time may run without a break. A ticker of 1 ms needs some 20 ms of it.
const VIRTUAL_WALL_MAX: Duration = Duration::from_millis(40);
/// Wall time that virtual time may take in all, however short the limits of wall time are.
const VIRTUAL_WALL_ALL: Duration = Duration::from_millis(2_500);
/// The first step of virtual time is this part of its limit.
const VIRTUAL_STEPS: u32 = 1_000;

/// Waits for the subject's tasks. Returns `None` if nothing is left.
pub(crate) async fn settle(subject: &Subject, limits: Limits) -> Option<Unsettled> {
    if is_quiet(subject).await {
        return None;
    }
    if subject.is_here() && subject.is_current_thread() {
        // Such a runtime did not start the thread that drives it, so no hook has added the thread.
        subject.registry.threads.add_current();
    }
    Settling::new(subject, limits).run().await
}

/// Whether nothing is left, and what is on its way to tasks that may stay has had its turn.
async fn is_quiet(subject: &Subject) -> bool {
    subject.is_clear() && (subject.is_empty() || turn::is_idle(subject).await)
}

/// A wait in progress.
struct Settling<'s> {
    subject: &'s Subject,
    limits: Limits,
    watch: Stopwatch,
    polls: PollTracker,
    /// The virtual time that may still pass; `None` where the clock must not or cannot be moved.
    horizon: Option<Duration>,
    /// The generation that began with the first look ahead, to tell tasks that were spawned since.
    first_look: Option<u64>,
    /// Whether the runtime's clock stands still, unless moved.
    paused: bool,
    /// Whether the clock stood still when the check began.
    was_paused: bool,
    /// Whether the clock may run in real time although it was paused.
    may_resume: bool,
    waited: Waited,
}

impl<'s> Settling<'s> {
    fn new(subject: &'s Subject, limits: Limits) -> Self {
        let movable = subject.is_here() && subject.is_current_thread();
        let paused = movable && is_paused();
        // With a paused clock, any await lets the clock jump to the next timer.
        let asked = limits.horizon.or(paused.then_some(limits.wall));
        let horizon = asked.filter(|_| movable && (paused || subject.own));
        let (watch, polls) = (Stopwatch::start(), subject.track_polls());
        let may_resume = limits.horizon.is_some();
        Self {
            subject,
            limits,
            watch,
            polls,
            horizon,
            first_look: None,
            paused,
            was_paused: paused,
            may_resume,
            waited: Waited::default(),
        }
    }

    async fn run(mut self) -> Option<Unsettled> {
        let left = self.wait().await;
        self.waited.wall = self.watch.wall();
        if left {
            self.polls.update();
            // A clock that must not run in real time would jump while another thread looks.
            if !self.was_paused || self.may_resume {
                self.set_paused(false);
                self.look_for_timers().await;
            }
        }
        self.set_paused(self.was_paused);
        (left && !self.subject.is_clear()).then_some(Unsettled { polls: self.polls, waited: self.waited })
    }

    /// Returns whether something is left.
    async fn wait(&mut self) -> bool {
        if self.paused {
            // A task that has not been polled yet has opened nothing yet.
            turn::come_to_rest(self.subject).await;
            // On their way to the line where they wait, tasks are polled again and again. Only what comes after it tells.
            self.subject.registry.reset_polls();
        }
        // With a paused clock no real time need pass, unless something shows that it must.
        let mut settled =
            if self.paused && self.may_move_the_clock() { Settled::MoveTheClock } else { Settled::Stopped };
        loop {
            settled = match settled {
                Settled::Quiet => return false,
                Settled::LimitReached => return true,
                Settled::MoveTheClock => self.in_virtual_time().await,
                Settled::Stopped => self.in_real_time().await,
            };
        }
    }

    /// Looks again and again: until the limit, and beyond it while something may still change.
    async fn in_real_time(&mut self) -> Settled {
        let held = self.paused && !self.may_resume;
        if self.paused && !held {
            // A paused runtime that waits for real time is idle, and would jump to the next timer, however far away.
            self.set_paused(false);
        }
        let (mut pause, mut counts_reset) = (PAUSE_MIN, false);
        let first = FIRST_LOOK.min(self.limits.wall);
        let mut until = self.watch.wall().max(first);
        loop {
            if is_quiet(self.subject).await {
                return Settled::Quiet;
            }
            self.polls.update();
            let wall = self.watch.wall();
            if !counts_reset && wall >= first / 2 {
                // In the first half, a task may still be on its way to the line where it waits. Its polls in the second
                // half tell its state.
                self.subject.registry.reset_polls();
                counts_reset = true;
            }
            if wall < until {
                self.pause(pause.min(until - wall), held).await;
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
            if self.watch.undelayed() >= first {
                if let Some(settled) = self.look_ahead(held).await {
                    return settled;
                }
            }
            until = self.watch.wall() + LOOK_PAUSE;
        }
    }

    async fn pause(&self, pause: Duration, held: bool) {
        if held {
            // The runtime polls its driver, and is never idle, so its clock does not jump.
            thread::sleep(pause.min(HELD_PAUSE_MAX));
            task::yield_now().await;
        } else {
            clock::sleep(pause).await;
        }
    }

    /// What comes next when the limit for parked tasks has been reached; `None` for a longer wait.
    async fn look_ahead(&mut self, held: bool) -> Option<Settled> {
        if self.subject.is_clear() && self.watch.undelayed() >= self.limits.wall {
            // Tasks that may stay work without a pause.
            return Some(Settled::Quiet);
        }
        let (subject, within) = (self.subject, self.active_limit());
        let idle = idle(&subject.handle);
        let look = ahead::look_ahead(subject.registry.clone(), subject.handle.clone(), idle, within);
        let Prospect { activity, mut outside, strangers } = if held { without_idling(look).await } else { look.await };
        // A clock that is held wakes nobody, and the caller's own pauses would count as activity.
        let active = !held && activity != Activity::Waiting;
        if outside.is_empty()
            && strangers.is_empty()
            && !active
            && (self.waited.active || !self.waited.outside.is_empty())
        {
            // What has just ended may have woken a task that has yet to run, so the next look decides.
            (self.waited.active, self.waited.outside) = (false, Vec::new());
            return None;
        }
        let limit = if !outside.is_empty() {
            self.limits.outside
        } else if self.may_move_the_clock() {
            if active && self.looks_for_renewal() {
                return None;
            }
            self.waited.limit = self.limits.wall;
            return Some(Settled::MoveTheClock);
        } else if active {
            within
        } else if !strangers.is_empty() {
            outside = strangers;
            self.limits.active
        } else {
            self.limits.wall
        };
        (self.waited.limit, self.waited.active) = (limit, active);
        self.waited.outside = outside.iter().map(Outside::to_string).collect();
        (self.watch.undelayed() >= limit).then_some(Settled::LimitReached)
    }

    /// Whether real time has to pass first, to see whether tasks replace each other. If one that was spawned during that time is
    /// alive at its end, the clock is never moved: what takes turns in real time would end together.
    fn looks_for_renewal(&mut self) -> bool {
        if self.was_paused || self.limits.renewal.is_zero() {
            return false;
        }
        let registry = &self.subject.registry;
        let first_look = *self.first_look.get_or_insert_with(|| registry.next_generation());
        let looks = self.watch.undelayed() < self.limits.renewal;
        if !looks && registry.has_since(first_look) {
            self.horizon = None;
        }
        looks || self.horizon.is_none()
    }

    /// How long threads may work, and timers be waited for, in wall time. Where the clock would be moved to the next timer,
    /// but something open forbids it, as long as for something outside.
    fn active_limit(&self) -> Duration {
        let spared = self.horizon.is_some_and(|left| !left.is_zero());
        if spared { self.limits.outside } else { self.limits.active }
    }

    fn may_move_the_clock(&self) -> bool {
        self.horizon.is_some_and(|left| !left.is_zero()) && self.subject.nothing_outside()
    }

    /// Lets virtual time pass up to what is left of its limit. An idle runtime jumps from timer to timer.
    async fn in_virtual_time(&mut self) -> Settled {
        self.set_paused(true);
        let guard = self.subject.registry.clock_guard.begin(outside::registered(&self.subject.handle));
        let mut watchdog = pin!(clock::sleep(VIRTUAL_WALL_MAX));
        let mut left = self.horizon.unwrap_or_default();
        // The steps grow, because most of the tasks that end at all end soon.
        let mut step = left / VIRTUAL_STEPS;
        let settled = loop {
            let begun = time::Instant::now();
            let stopped = select! {
                // Virtual time stands still while a task is never idle, or a thread of the blocking pool is busy.
                () = &mut watchdog => true,
                () = time::sleep(step.min(left)) => false,
            };
            let passed = begun.elapsed();
            left = left.saturating_sub(passed);
            self.waited.virtual_time += passed;
            // By now each task has had its first poll. Any other shows that it waits for time.
            self.polls.begin_virtual();
            if is_quiet(self.subject).await {
                break Settled::Quiet;
            }
            if guard.is_tripped() {
                // Something outside has appeared, and the clock runs again.
                self.paused = false;
                break Settled::Stopped;
            }
            if stopped {
                // A task that stops virtual time is never idle, so it works, and may still end.
                break if self.watch.undelayed() < self.limits.active.max(VIRTUAL_WALL_ALL) {
                    Settled::MoveTheClock
                } else {
                    Settled::LimitReached
                };
            }
            if left.is_zero() {
                // A task that was polled may read another clock than the runtime's.
                let untouched = !self.subject.registry.polled_in_virtual_time(self.subject.since);
                let waited = self.was_paused || self.watch.undelayed() >= self.limits.wall;
                let over = untouched && waited && self.subject.nothing_outside() && !self.subject.has_strangers();
                break if over { Settled::LimitReached } else { Settled::Stopped };
            }
            step *= 10;
        };
        drop(guard);
        self.polls.end_virtual();
        self.horizon = Some(left);
        if settled != Settled::MoveTheClock && self.may_resume {
            self.set_paused(false);
        }
        settled
    }

    /// Looks for pending timers, at the end of the wait.
    async fn look_for_timers(&mut self) {
        let Subject { registry, handle, own, since, .. } = self.subject;
        let next = timers::look(registry.clone(), handle.clone()).await;
        // A closure of the blocking pool may wait for a timer with `block_on`, and so may the body in which a scope ends.
        let only_tasks = *own && *since == 0 && busy(handle) == 0;
        self.polls.set_timers(next, only_tasks);
    }

    fn set_paused(&mut self, paused: bool) {
        match (self.paused, paused) {
            (false, true) => time::pause(),
            (true, false) => time::resume(),
            _ => {}
        }
        self.paused = paused;
    }
}

/// Waits in such a way that the runtime is never idle, so that a paused clock does not jump.
async fn without_idling<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            thread::sleep(HELD_PAUSE_MAX);
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

#[derive(PartialEq, Eq)]
enum Settled {
    /// Nothing is left.
    Quiet,
    /// A limit is reached, and something is left.
    LimitReached,
    /// Only time can change something, and nothing outside would miss it.
    MoveTheClock,
    /// Real time has to pass.
    Stopped,
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
