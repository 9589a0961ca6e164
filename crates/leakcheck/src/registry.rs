//! Which tasks are alive, and where each was spawned.
//!
//! The hooks run once in every task's life on the thread that spawns or ends it, so they must be cheap: no clock, no lock,
//! no allocation. Tokio numbers tasks one after another. A task's record therefore has a fixed place, its number modulo the
//! table's size, and is claimed with one compare-and-swap. Where two living tasks meet in one place, the younger goes to a
//! map behind a lock. Segments of the table are made when they are first used: a test of ten tasks touches one.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

use tokio::task;

use crate::{
    allow::Allow,
    clock,
    report::Allowed,
    sites::{Site, Sites},
    threads,
};

/// Records a segment holds, and segments of the table: 262,144 living tasks have a place of their own.
const SEGMENT: usize = 256;
const SEGMENTS: usize = 1_024;
/// Maps for the tasks that found their place taken.
const SHARDS: usize = 64;
const FREE: u64 = 0;
/// Claimed, and not yet written.
const CLAIMED: u64 = u64::MAX;

/// One living task, as the registry tells of it.
#[derive(Clone, Copy)]
pub(crate) struct Alive {
    pub(crate) id: u64,
    pub(crate) site: Site,
    /// Where the task was spawned that spawned this one; `None` outside of tasks.
    pub(crate) parent: Option<Site>,
    /// Milliseconds of the process clock at its birth.
    pub(crate) born_ms: u32,
    pub(crate) generation: u32,
    /// Times it was polled while somebody observed.
    pub(crate) polls: u32,
    /// The allowance that covers it, counted from 1; 0 is none.
    pub(crate) allowance: u32,
}

/// The living tasks of one runtime.
pub(crate) struct Registry {
    segments: Box<[OnceLock<Box<[Slot]>>]>,
    overflow: Box<[Shard]>,
    sites: Sites,
    allow: Vec<Allow>,
    /// Tasks alive under each allowance: those given first, then the daemons by name.
    allowed: Mutex<Vec<(Cow<'static, str>, usize)>>,
    allowed_alive: AtomicUsize,
    generation: AtomicU32,
    observers: AtomicU32,
    observing: AtomicBool,
    pub(crate) threads: threads::Threads,
}

/// A record in the table. Its one writer is who claimed it; `id` is written last, so a reader who finds the same number
/// before and after has read what belongs to it. Numbers are never used twice.
#[derive(Default)]
struct Slot {
    id: AtomicU64,
    site: AtomicUsize,
    parent: AtomicUsize,
    born_ms: AtomicU32,
    generation: AtomicU32,
    allowance: AtomicU32,
    polls: AtomicU32,
}

/// A record behind the lock.
struct Record {
    site: usize,
    parent: usize,
    born_ms: u32,
    generation: u32,
    allowance: u32,
    polls: u32,
}

#[derive(Default)]
struct Shard {
    len: AtomicUsize,
    records: Mutex<HashMap<u64, Record, BuildHasherDefault<Spread>>>,
}

impl Registry {
    pub(crate) fn new(allow: Vec<Allow>) -> Arc<Self> {
        clock::refresh();
        Arc::new(Self {
            segments: (0..SEGMENTS).map(|_| OnceLock::new()).collect(),
            overflow: (0..SHARDS).map(|_| Shard::default()).collect(),
            sites: Sites::default(),
            allowed: Mutex::new(allow.iter().map(|allow| (allow.text().to_owned().into(), 0)).collect()),
            allow,
            allowed_alive: AtomicUsize::new(0),
            generation: AtomicU32::new(0),
            observers: AtomicU32::new(0),
            observing: AtomicBool::new(false),
            threads: threads::Threads::default(),
        })
    }

    /// A task is born. Called by the spawn hook, on the thread that spawns.
    pub(crate) fn born(&self, id: u64, site: Site) {
        // On a runtime that is shutting down, tokio reports a task's end before its birth, on one thread.
        if threads::ended_unborn() == id {
            return;
        }
        let (site, given) = self.sites.know(site, || self.allowance(site));
        let record = Record {
            site,
            parent: task::try_id().map_or(0, |parent| self.site_of(number(parent))),
            born_ms: clock::coarse_ms(),
            generation: self.generation.load(Ordering::Relaxed),
            allowance: self.begin_allowed(given),
            polls: 0,
        };
        let slot = self.slot(id);
        if slot.id.compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            slot.write(id, &record);
        } else {
            let shard = self.shard(id);
            shard.lock().insert(id, record);
            shard.len.fetch_add(1, Ordering::Release);
        }
    }

    /// A task has ended. Called by the terminate hook; also for blocking closures, whose birth tokio does not report.
    pub(crate) fn ended(&self, id: u64) {
        let allowance = match self.taken(id) {
            Some(slot) => {
                let allowance = slot.allowance.load(Ordering::Relaxed);
                slot.id.store(FREE, Ordering::Release);
                Some(allowance)
            }
            None => self.forget_overflow(id),
        };
        match allowance {
            None => threads::set_ended_unborn(id),
            Some(0) => {}
            Some(allowance) => self.end_allowed(allowance),
        }
    }

    /// A poll begins. Counted only while somebody observes.
    pub(crate) fn polled(&self, id: u64) {
        if !self.observing.load(Ordering::Relaxed) {
            return;
        }
        if let Some(slot) = self.taken(id) {
            slot.polls.fetch_add(1, Ordering::Relaxed);
        } else if let Some(record) = self.shard(id).lock().get_mut(&id) {
            record.polls += 1;
        }
    }

    /// Tasks alive that an allowance covers, without looking at each.
    pub(crate) fn allowed_alive(&self) -> usize {
        self.allowed_alive.load(Ordering::Relaxed)
    }

    /// Every living task, in no order. Tasks that are being born or are ending at this very moment may or may not be there.
    pub(crate) fn each(&self, mut tell: impl FnMut(Alive)) {
        let known = self.sites.known();
        let alive = |id, record: &Record| {
            Some(Alive {
                id,
                site: known.get(&record.site).copied()?,
                parent: known.get(&record.parent).copied(),
                born_ms: record.born_ms,
                generation: record.generation,
                polls: record.polls,
                allowance: record.allowance,
            })
        };
        for (id, record) in self.slots().filter_map(Slot::read) {
            alive(id, &record).into_iter().for_each(&mut tell);
        }
        for shard in &self.overflow {
            for (id, record) in shard.lock().iter() {
                alive(*id, record).into_iter().for_each(&mut tell);
            }
        }
    }

    /// Whether a task lives that no allowance covers and that was born since a generation began.
    pub(crate) fn has_since(&self, generation: u32) -> bool {
        let left = |record: &Record| record.allowance == 0 && record.generation >= generation;
        self.slots().any(|slot| slot.read().is_some_and(|(_, record)| left(&record)))
            || self.overflow.iter().any(|shard| shard.lock().values().any(left))
    }

    /// Begins a new generation: tasks born from now on have its number or a higher one.
    pub(crate) fn next_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts polls for as long as the guard lives, from zero.
    pub(crate) fn observe(self: &Arc<Self>) -> Observation {
        if self.observers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.forget_polls();
            self.observing.store(true, Ordering::Relaxed);
        }
        Observation(self.clone())
    }

    /// Begins to count polls from zero again, for all who observe.
    pub(crate) fn forget_polls(&self) {
        self.slots().for_each(|slot| slot.polls.store(0, Ordering::Relaxed));
        self.overflow.iter().for_each(|shard| shard.lock().values_mut().for_each(|record| record.polls = 0));
    }

    /// What each allowance covers now: those given to the checker, then the daemons.
    pub(crate) fn allowed(&self) -> Vec<Allowed> {
        let given = self.allow.len();
        let named = |(place, (name, tasks)): (usize, &(Cow<'static, str>, usize))| {
            let allowance = if place < given { name.to_string() } else { format!("daemon {name}") };
            Allowed { allowance, tasks: *tasks, given: place < given }
        };
        lock(&self.allowed).iter().enumerate().map(named).collect()
    }

    /// The number of the given allowance that covers the location, counted from 1; 0 is none. Slow: asked once a location.
    fn allowance(&self, site: Site) -> u32 {
        let place = self.allow.iter().position(|allow| allow.covers(site.file(), site.line()));
        place.map_or(0, |place| u32::try_from(place + 1).unwrap_or(u32::MAX))
    }

    /// Counts a task that is born, and returns the number of its allowance. A mark goes before what its location is given.
    fn begin_allowed(&self, given: u32) -> u32 {
        let daemon = threads::daemon();
        if daemon.is_none() && given == 0 {
            return 0;
        }
        let mut allowed = lock(&self.allowed);
        let place = match daemon {
            None => given as usize - 1,
            Some(name) => {
                let mut daemons = allowed.iter().enumerate().skip(self.allow.len());
                daemons.find(|(_, (known, _))| known == name).map(|(place, _)| place).unwrap_or_else(|| {
                    allowed.push((name.into(), 0));
                    allowed.len() - 1
                })
            }
        };
        allowed[place].1 += 1;
        self.allowed_alive.fetch_add(1, Ordering::Relaxed);
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }

    fn end_allowed(&self, allowance: u32) {
        if let Some((_, tasks)) = lock(&self.allowed).get_mut(allowance as usize - 1) {
            *tasks -= 1;
            self.allowed_alive.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Where a living task was spawned, as the sites' key; 0 if it is not here.
    fn site_of(&self, id: u64) -> usize {
        match self.taken(id) {
            Some(slot) => slot.site.load(Ordering::Relaxed),
            None if self.shard(id).len.load(Ordering::Acquire) == 0 => 0,
            None => self.shard(id).lock().get(&id).map_or(0, |record| record.site),
        }
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.segments.iter().filter_map(OnceLock::get).flatten()
    }

    fn slot(&self, id: u64) -> &Slot {
        let place = id as usize % (SEGMENT * SEGMENTS);
        let segment = self.segments[place / SEGMENT].get_or_init(|| (0..SEGMENT).map(|_| Slot::default()).collect());
        &segment[place % SEGMENT]
    }

    /// The record in the table, if this task has it.
    fn taken(&self, id: u64) -> Option<&Slot> {
        let place = id as usize % (SEGMENT * SEGMENTS);
        let slot = &self.segments[place / SEGMENT].get()?[place % SEGMENT];
        (slot.id.load(Ordering::Acquire) == id).then_some(slot)
    }

    fn shard(&self, id: u64) -> &Shard {
        &self.overflow[id as usize % SHARDS]
    }

    fn forget_overflow(&self, id: u64) -> Option<u32> {
        let shard = self.shard(id);
        if shard.len.load(Ordering::Acquire) == 0 {
            return None;
        }
        let record = shard.lock().remove(&id)?;
        shard.len.fetch_sub(1, Ordering::Release);
        Some(record.allowance)
    }
}

impl Slot {
    fn write(&self, id: u64, record: &Record) {
        self.site.store(record.site, Ordering::Relaxed);
        self.parent.store(record.parent, Ordering::Relaxed);
        self.born_ms.store(record.born_ms, Ordering::Relaxed);
        self.generation.store(record.generation, Ordering::Relaxed);
        self.allowance.store(record.allowance, Ordering::Relaxed);
        self.polls.store(0, Ordering::Relaxed);
        self.id.store(id, Ordering::Release);
    }

    fn read(&self) -> Option<(u64, Record)> {
        let id = self.id.load(Ordering::Acquire);
        if id == FREE || id == CLAIMED {
            return None;
        }
        let record = Record {
            site: self.site.load(Ordering::Relaxed),
            parent: self.parent.load(Ordering::Relaxed),
            born_ms: self.born_ms.load(Ordering::Relaxed),
            generation: self.generation.load(Ordering::Relaxed),
            allowance: self.allowance.load(Ordering::Relaxed),
            polls: self.polls.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        (self.id.load(Ordering::Relaxed) == id).then_some((id, record))
    }
}

impl Shard {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Record, BuildHasherDefault<Spread>>> {
        lock(&self.records)
    }
}

/// Ends the counting of polls when dropped.
pub(crate) struct Observation(Arc<Registry>);

impl Drop for Observation {
    fn drop(&mut self) {
        if self.0.observers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.observing.store(false, Ordering::Relaxed);
        }
    }
}

/// The number behind a task's id. Tokio has no accessor for it, but the id hashes as this one number.
pub(crate) fn number(id: task::Id) -> u64 {
    let mut hasher = Spread::default();
    id.hash(&mut hasher);
    hasher.0
}

/// Takes a number as it is; as a map's hasher it spreads it over the upper and the lower bits.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        (self.0 / SHARDS as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = number as u64;
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
