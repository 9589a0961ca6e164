//! The allowances of a runtime, and the living tasks under each.

use std::{
    borrow::Cow,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{allow::Allow, lock::lock, report::Allowed, sites::Site, threads};

pub(crate) struct Allowances {
    given: Vec<Allow>,
    /// Tasks alive under each allowance: those given first, then the daemons by name.
    alive: Mutex<Vec<(Cow<'static, str>, usize)>>,
    /// The sum of these, each up to its allowance's number. Changed under their lock.
    covered: AtomicUsize,
}

impl Allowances {
    pub(super) fn new(given: Vec<Allow>) -> Self {
        let alive = Mutex::new(given.iter().map(|allow| (allow.to_string().into(), 0)).collect());
        Self { given, alive, covered: AtomicUsize::new(0) }
    }

    /// How many living tasks are covered, without a look at each task.
    pub(crate) fn covered(&self) -> usize {
        self.covered.load(Ordering::Relaxed)
    }

    /// What each allowance covers now: those given to the checker, then the daemons.
    pub(crate) fn report(&self) -> Vec<Allowed> {
        let given = self.given.len();
        let named = |(index, (name, tasks)): (usize, &(Cow<'static, str>, usize))| {
            let allowance = if index < given { name.to_string() } else { format!("daemon {name}") };
            Allowed { allowance, tasks: *tasks, given: index < given, surplus: 0 }
        };
        lock(&self.alive).iter().enumerate().map(named).collect()
    }

    /// How many tasks the allowance of this number, counted from 1, covers.
    pub(crate) fn limit(&self, allowance: u32) -> usize {
        self.given.get(allowance as usize - 1).map_or(usize::MAX, Allow::limit)
    }

    /// The number of the given allowance that covers the location, counted from 1; 0 is none. Slow, so `Sites` keeps the
    /// answer.
    pub(super) fn of(&self, site: Site) -> u32 {
        let index = self.given.iter().position(|allow| allow.covers(site.file(), site.line()));
        index.map_or(0, |index| u32::try_from(index + 1).unwrap_or(u32::MAX))
    }

    /// Counts a task that is spawned under its allowance, and returns the allowance's number. A daemon's name has priority over
    /// the allowance of the spawn location.
    pub(super) fn begin(&self, given: u32) -> u32 {
        let daemon = threads::daemon();
        if daemon.is_none() && given == 0 {
            return 0;
        }
        let mut alive = lock(&self.alive);
        let index = match daemon {
            None => given as usize - 1,
            Some(name) => {
                let mut daemons = alive.iter().enumerate().skip(self.given.len());
                daemons.find(|(_, (known, _))| known == name).map(|(index, _)| index).unwrap_or_else(|| {
                    alive.push((name.into(), 0));
                    alive.len() - 1
                })
            }
        };
        alive[index].1 += 1;
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if alive[index].1 <= self.limit(number) {
            self.covered.fetch_add(1, Ordering::Relaxed);
        }
        number
    }

    #[cfg(test)]
    pub(super) fn lock_all(&self) -> impl Drop + '_ {
        lock(&self.alive)
    }

    pub(super) fn end(&self, allowance: u32) {
        if let Some((_, tasks)) = lock(&self.alive).get_mut(allowance as usize - 1) {
            *tasks -= 1;
            if *tasks < self.limit(allowance) {
                self.covered.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
