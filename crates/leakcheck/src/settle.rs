//! Waits until the tasks that are checked have ended: not at all where nothing is left, and never longer than stated.
//!
//! The rule: a runtime's virtual time passes only where nothing outside can have a say. Otherwise the check waits in wall
//! time: longer while threads work or a timer is pending, longer still while something outside is open, and no longer than
//! until nothing can change.

mod wait;

use std::{sync::Arc, time::Duration};

use tokio::runtime::{Handle, RuntimeFlavor};

use self::wait::Settling;
use crate::{
    outside,
    registry::Registry,
    report::{Allowed, Body, Report, Waited},
    tally::PollTracker,
    turn,
};

/// When the check looks for the first time at what may still end the tasks.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// How long tasks may take to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of wall time, in any case.
    pub(crate) wall: Duration,
    /// Of wall time, while threads work or a timer is pending that the clock cannot be moved to.
    pub(crate) active: Duration,
    /// Of wall time, while something outside of the runtime may still act. A limit of five seconds, which many clients have,
    /// comes to its end.
    pub(crate) outside: Duration,
    /// Of virtual time, where it may pass.
    pub(crate) horizon: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { wall: FIRST_LOOK, active: Duration::from_millis(2_500), outside: Duration::from_secs(6), horizon: None }
    }
}

impl Limits {
    /// For the end of a test, after which nobody reads the runtime's clock any more.
    pub(crate) fn at_the_end() -> Self {
        Self { horizon: Some(Duration::from_secs(10)), ..Self::default() }
    }

    /// One limit of wall time, whatever may still act. What may pass in wall time may pass in virtual time too.
    pub(crate) fn settle(self, limit: Duration) -> Self {
        let horizon = self.horizon.map(|horizon| horizon.max(limit));
        Self { wall: limit, active: limit, outside: limit, horizon }
    }

    /// The longest of the limits of wall time.
    pub(crate) fn most(&self) -> Duration {
        self.wall.max(self.active).max(self.outside)
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

/// What is left after the wait, and how long the wait was.
pub(crate) struct Unsettled {
    /// The polls that were seen, to tell parked tasks from live ones.
    pub(crate) polls: PollTracker,
    pub(crate) waited: Waited,
}

impl Subject {
    /// Whether nothing is left at this moment. Takes a few loads where only allowed tasks are alive.
    pub(crate) fn is_clear(&self) -> bool {
        let alive = self.handle.metrics().num_alive_tasks();
        (alive <= self.registry.allowed_alive() || !self.has_survivors()) && self.blocking() == 0
    }

    /// Whether no task is alive and no closure runs: then nobody is left who could spawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.handle.metrics().num_alive_tasks() == 0 && self.blocking() == 0
    }

    /// Whether nothing is left, and what is on its way to tasks that may stay has had its turn.
    async fn is_quiet(&self) -> bool {
        self.is_clear() && (self.is_empty() || turn::is_idle(self).await)
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

    /// Waits. Returns `None` if nothing is left.
    pub(crate) async fn settle(&self, limits: Limits) -> Option<Unsettled> {
        if self.is_quiet().await {
            return None;
        }
        if self.is_here() && self.is_current_thread() {
            // Such a runtime did not start the thread that drives it, so no hook has added the thread.
            self.registry.threads.add_current();
        }
        Settling::new(self, limits).run().await
    }

    /// The report after `settle`. If `settle` found nothing left, the report is clean: tasks that other threads have
    /// spawned since had no time to end.
    pub(crate) fn verdict(&self, left: Option<&Unsettled>, body: Body) -> Report {
        if let Some(left) = left {
            return Report { waited: Some(left.waited.clone()), ..self.report(Some(&left.polls), body) };
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
        PollTracker::start(&self.registry, &self.handle)
    }

    pub(crate) fn is_current_thread(&self) -> bool {
        self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread
    }

    /// Whether the caller is on the runtime that is checked. A scope may be asked on another one, whose thread and clock are
    /// not those of the tasks.
    pub(crate) fn is_here(&self) -> bool {
        Handle::current().id() == self.handle.id()
    }

    /// Whether nothing outside exists that might act: then the clock can be moved without a real event being missed.
    fn nothing_outside(&self) -> bool {
        outside::is_nothing(&self.handle, &self.registry.threads)
    }
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
