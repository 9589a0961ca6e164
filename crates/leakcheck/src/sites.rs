//! Spawn locations, each known once.

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    panic::Location,
    sync::{Mutex, OnceLock},
};

use crate::registry::{Spread, lock};

/// Places of the cache of known spawn locations, and how many of them one location may take.
const KNOWN: usize = 256;
const PLACES: usize = 4;

pub(crate) type Site = &'static Location<'static>;

/// Spawn locations by address. A record keeps the address only: an atomic can hold it.
pub(crate) struct Sites {
    /// Some of what is in `all`, so that the hot path takes no lock. The first location to get a place keeps it.
    cache: Box<[OnceLock<(usize, u32)>]>,
    all: Mutex<HashMap<usize, (Site, u32), BuildHasherDefault<Spread>>>,
}

impl Default for Sites {
    fn default() -> Self {
        Self { cache: (0..KNOWN).map(|_| OnceLock::new()).collect(), all: Mutex::default() }
    }
}

impl Sites {
    /// The location's address and its allowance, which is asked for once.
    pub(crate) fn know(&self, site: Site, allowance: impl FnOnce() -> u32) -> (usize, u32) {
        let address = std::ptr::from_ref(site).addr();
        // Locations lie 24 bytes apart.
        let mut places = (address / 8..).take(PLACES).map(|place| &self.cache[place % KNOWN]);
        let found = places.clone().map_while(OnceLock::get).find(|known| known.0 == address);
        found.copied().unwrap_or_else(|| {
            let known = (address, lock(&self.all).entry(address).or_insert_with(|| (site, allowance())).1);
            // It takes the first free place. One that finds none is looked up behind the lock each time.
            places.any(|place| place.set(known).is_ok() || place.get() == Some(&known));
            known
        })
    }

    pub(crate) fn known(&self) -> HashMap<usize, Site, BuildHasherDefault<Spread>> {
        lock(&self.all).iter().map(|(address, (site, _))| (*address, *site)).collect()
    }
}
