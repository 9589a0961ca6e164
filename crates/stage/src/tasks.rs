//! Which line spawned the tasks that are alive: an exact count per spawn location, kept by the runtime's own hooks.

use std::{
    collections::HashMap,
    panic::Location,
    sync::{Arc, Mutex, PoisonError},
};

use crate::wire::{SpawnSite, shorten};

/// Counts live tasks by spawn location. Costs one lock at a task's birth and one at its end.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<HashMap<&'static Location<'static>, i64>>>);

impl Registry {
    /// Hangs the registry's hooks into a runtime that is about to be built.
    #[cfg(tokio_unstable)]
    pub(crate) fn watch<'b>(&self, builder: &'b mut tokio::runtime::Builder) -> &'b mut tokio::runtime::Builder {
        let (born, ended) = (self.clone(), self.clone());
        builder
            .on_task_spawn(move |task| born.add(task.spawned_at(), 1))
            .on_task_terminate(move |task| ended.add(task.spawned_at(), -1))
    }

    /// Without the hooks there is nothing to hang; `run` refuses such a build before it matters.
    #[cfg(not(tokio_unstable))]
    pub(crate) fn watch<'b>(&self, builder: &'b mut tokio::runtime::Builder) -> &'b mut tokio::runtime::Builder {
        builder
    }

    #[cfg(tokio_unstable)]
    fn add(&self, location: &'static Location<'static>, n: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(location).or_default() += n;
    }

    /// The spawn locations of live tasks, most first.
    pub(crate) fn alive(&self) -> Vec<SpawnSite> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sites: Vec<_> = counts
            .iter()
            // A blocking closure ends without having been spawned, as far as the hooks are told: its count is below zero.
            .filter(|(_, alive)| **alive > 0)
            .map(|(location, alive)| SpawnSite {
                location: shorten(&location.to_string()),
                alive: alive.unsigned_abs(),
            })
            .collect();
        sites.sort_by(|a, b| b.alive.cmp(&a.alive).then_with(|| a.location.cmp(&b.location)));
        sites
    }
}
