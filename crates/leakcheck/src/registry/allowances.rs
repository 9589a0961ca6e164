//! Counts the living tasks under each allowance.

use std::{borrow::Cow, sync::atomic::Ordering};

use super::Registry;
use crate::{lock::lock, report::Allowed, sites::Site, threads};

impl Registry {
    /// What each allowance covers now: those given to the checker, then the daemons.
    pub(crate) fn allowed(&self) -> Vec<Allowed> {
        let given = self.allow.len();
        let named = |(index, (name, tasks)): (usize, &(Cow<'static, str>, usize))| {
            let allowance = if index < given { name.to_string() } else { format!("daemon {name}") };
            Allowed { allowance, tasks: *tasks, given: index < given, surplus: 0 }
        };
        lock(&self.allowed).iter().enumerate().map(named).collect()
    }

    /// The number of the given allowance that covers the location, counted from 1; 0 is none. Slow, so `Sites` keeps the
    /// answer.
    pub(super) fn allowance(&self, site: Site) -> u32 {
        let index = self.allow.iter().position(|allow| allow.covers(site.file(), site.line()));
        index.map_or(0, |index| u32::try_from(index + 1).unwrap_or(u32::MAX))
    }

    /// Counts a task that is spawned under its allowance, and returns the allowance's number. A daemon's name has priority over
    /// the allowance of the spawn location.
    pub(super) fn begin_allowed(&self, given: u32) -> u32 {
        let daemon = threads::daemon();
        if daemon.is_none() && given == 0 {
            return 0;
        }
        let mut allowed = lock(&self.allowed);
        let index = match daemon {
            None => given as usize - 1,
            Some(name) => {
                let mut daemons = allowed.iter().enumerate().skip(self.allow.len());
                daemons.find(|(_, (known, _))| known == name).map(|(index, _)| index).unwrap_or_else(|| {
                    allowed.push((name.into(), 0));
                    allowed.len() - 1
                })
            }
        };
        allowed[index].1 += 1;
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if allowed[index].1 <= self.limit(number) {
            self.allowed_alive.fetch_add(1, Ordering::Relaxed);
        }
        number
    }

    pub(super) fn end_allowed(&self, allowance: u32) {
        if let Some((_, tasks)) = lock(&self.allowed).get_mut(allowance as usize - 1) {
            *tasks -= 1;
            if *tasks < self.limit(allowance) {
                self.allowed_alive.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
