//! Spawn locations, each interned once.

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    panic::Location,
    sync::{Mutex, OnceLock},
};

use crate::{hash::Spread, lock::lock};

/// Entries of the cache, and how many of them are tried for one location.
const CACHE_LEN: usize = 256;
const PROBES: usize = 4;

pub(crate) type Site = &'static Location<'static>;

/// Spawn locations and their allowances by address. A record keeps the address only, which fits into an atomic.
pub(crate) struct Sites {
    /// Some of the entries of `all`, so that the hot path takes no lock. An entry is never replaced.
    cache: Box<[OnceLock<(usize, u32)>]>,
    all: Mutex<HashMap<usize, (Site, u32), BuildHasherDefault<Spread>>>,
}

impl Default for Sites {
    fn default() -> Self {
        Self { cache: (0..CACHE_LEN).map(|_| OnceLock::new()).collect(), all: Mutex::default() }
    }
}

impl Sites {
    /// The location's address and its allowance. The closure is called for a location's first task only.
    pub(crate) fn intern(&self, site: Site, allowance: impl FnOnce() -> u32) -> (usize, u32) {
        let address = std::ptr::from_ref(site).addr();
        // Locations lie 24 bytes apart.
        let mut entries = (address / 8..).take(PROBES).map(|index| &self.cache[index % CACHE_LEN]);
        let found = entries.clone().map_while(OnceLock::get).find(|entry| entry.0 == address);
        found.copied().unwrap_or_else(|| {
            let new = (address, lock(&self.all).entry(address).or_insert_with(|| (site, allowance())).1);
            // The location gets the first free entry. A location for which no entry is free is looked up in `all` each time.
            entries.any(|entry| entry.set(new).is_ok() || entry.get() == Some(&new));
            new
        })
    }

    pub(crate) fn by_address(&self) -> HashMap<usize, Site, BuildHasherDefault<Spread>> {
        lock(&self.all).iter().map(|(address, (site, _))| (*address, *site)).collect()
    }

    #[cfg(test)]
    pub(crate) fn lock_all(&self) -> impl Drop + '_ {
        lock(&self.all)
    }
}
