//! Spawn locations, each interned once.

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    panic::Location,
    sync::{Mutex, OnceLock},
};

use crate::{hash::Spread, lock::lock};

/// Entries of the caches, from the first to the last that is tried. The first is enough for a test, and small enough to be
/// made for each; the others are made for the programs that need them.
const SMALL: usize = 256;
const MEDIUM: usize = 4_096;
const LARGE: usize = 65_536;
/// How many entries of a cache are tried for one location.
const PROBES: usize = 4;

pub(crate) type Site = &'static Location<'static>;

/// What the registry knows of a spawn location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Counted from 1 in the order of the first spawns; 0 is no location.
    pub(crate) index: u32,
    /// The number of the given allowance that covers the location; 0 is none.
    pub(crate) allowance: u32,
}

/// Spawn locations by number. A record keeps the number only, and so do the counters of the ledger.
///
/// The memory is bounded by the program's text: the compiler made each location.
#[derive(Default)]
pub(crate) struct Sites {
    /// Some of the entries of `all`, so that the hot path takes no lock. An entry is never replaced.
    small: Cache<SMALL>,
    medium: OnceLock<Cache<MEDIUM>>,
    large: OnceLock<Cache<LARGE>>,
    all: Mutex<All>,
}

/// Entries by the location's address.
struct Cache<const LEN: usize>(Box<[OnceLock<(usize, Known)>; LEN]>);

#[derive(Default)]
struct All {
    by_address: HashMap<usize, Known, BuildHasherDefault<Spread>>,
    /// By number, beginning with the first.
    sites: Vec<Site>,
}

impl<const LEN: usize> Default for Cache<LEN> {
    fn default() -> Self {
        Self(boxed())
    }
}

impl Sites {
    /// The location's number and its allowance. The closure is called for a location's first task only.
    pub(crate) fn intern(&self, site: Site, allowance: impl FnOnce() -> u32) -> Known {
        let address = std::ptr::from_ref(site).addr();
        self.small.find(address).unwrap_or_else(|| self.intern_elsewhere(address, site, allowance))
    }

    /// In a program of more than some hundred spawn locations, or for the first task of one.
    #[cold]
    fn intern_elsewhere(&self, address: usize, site: Site, allowance: impl FnOnce() -> u32) -> Known {
        let medium = self.medium.get().and_then(|cache| cache.find(address));
        if let Some(known) = medium.or_else(|| self.large.get()?.find(address)) {
            return known;
        }
        let known = lock(&self.all).intern(address, site, allowance);
        // The first cache that has a place. A location for which none has is looked up in `all` each time.
        let _kept = self.small.keep(address, known)
            || self.medium.get_or_init(Cache::default).keep(address, known)
            || self.large.get_or_init(Cache::default).keep(address, known);
        known
    }

    /// All locations: the one with the number n stands at n - 1.
    pub(crate) fn all(&self) -> Vec<Site> {
        lock(&self.all).sites.clone()
    }

    #[cfg(all(test, not(leakcheck_loom)))]
    pub(crate) fn lock_all(&self) -> impl Drop + '_ {
        lock(&self.all)
    }
}

impl All {
    fn intern(&mut self, address: usize, site: Site, allowance: impl FnOnce() -> u32) -> Known {
        *self.by_address.entry(address).or_insert_with(|| {
            self.sites.push(site);
            Known { index: u32::try_from(self.sites.len()).unwrap_or(u32::MAX), allowance: allowance() }
        })
    }
}

impl<const LEN: usize> Cache<LEN> {
    fn find(&self, address: usize) -> Option<Known> {
        let found = self.entries(address).map_while(OnceLock::get).find(|entry| entry.0 == address);
        found.map(|entry| entry.1)
    }

    /// Whether the cache has a place for the location.
    fn keep(&self, address: usize, known: Known) -> bool {
        let new = (address, known);
        self.entries(address).any(|entry| entry.set(new).is_ok() || entry.get() == Some(&new))
    }

    fn entries(&self, address: usize) -> impl Iterator<Item = &OnceLock<(usize, Known)>> {
        // Locations lie 24 bytes apart.
        (address / 8..).take(PROBES).map(|index| &self.0[index % LEN])
    }
}

/// An array on the heap, which is never on the stack.
pub(crate) fn boxed<T: Default, const LEN: usize>() -> Box<[T; LEN]> {
    let all: Box<[T]> = (0..LEN).map(|_| T::default()).collect();
    all.try_into().unwrap_or_else(|_| unreachable!("as many as the array has"))
}
