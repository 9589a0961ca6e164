//! What is checked, and what is left of it.

use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{
    outside,
    pool::busy,
    registry::Registry,
    report::{Allowed, Body, Report, Waited},
    tally::PollTracker,
};

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
        (alive <= self.registry.allowances.covered() || !self.has_survivors()) && self.blocking() == 0
    }

    /// Whether no task is alive and no closure runs: then nobody is left who could spawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.handle.metrics().num_alive_tasks() == 0 && self.blocking() == 0
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

    /// The report after `settle`. If `settle` found nothing left, the report is clean: tasks that other threads have
    /// spawned since had no time to end.
    pub(crate) fn verdict(&self, left: Option<&Unsettled>, body: Body) -> Report {
        if let Some(left) = left {
            return Report { waited: Some(left.waited.clone()), ..self.report(Some(&left.polls), body) };
        }
        let busy = busy(&self.handle).saturating_sub(self.blocking_before);
        let panics = self.registry.panics.since(self.since);
        Report {
            body,
            allowed: self.with_blocking(self.registry.allowances.report(), busy),
            panics,
            ..Report::default()
        }
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

    /// Whether a thread might act of which nobody knows for whom it works. It keeps no clock from being moved: it may belong to another
    /// test, or to a library that nothing here uses.
    pub(crate) fn has_strangers(&self) -> bool {
        !outside::strangers(&self.registry.threads).is_empty()
    }

    /// Whether nothing outside exists that might act: then the clock can be moved without a real event being missed.
    pub(crate) fn nothing_outside(&self) -> bool {
        outside::is_nothing(&self.handle, &self.registry.threads)
    }
}
