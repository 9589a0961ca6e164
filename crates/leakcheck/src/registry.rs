//! Which tasks are alive, and where each was spawned.
//!
//! The hooks run in every task's life, on the threads that spawn, poll and end the task, so they must be cheap. Tokio
//! numbers tasks one after another. Each task's record therefore has a fixed slot of a table, the task's number modulo the
//! table's size, and one compare-and-swap claims the slot. Most tasks need no lock, no allocation and no system call. The
//! exceptions:
//!
//! - A task that an allowance covers takes a lock when it is spawned and when it ends, for the count of that allowance.
//! - A task whose slot is taken by a living task takes the lock of an overflow map, and the map may allocate.
//! - The first task of a spawn location, and later ones if the cache of locations is full, take the lock of all locations.
//! - The first task in a segment of the table allocates the segment. A test of ten tasks needs one segment.

mod allowances;
mod clock_guard;
mod polls;
mod slot;

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::task;

pub(crate) use self::polls::{Polled, Polls};
use self::{
    allowances::Allowances,
    clock_guard::ClockGuard,
    polls::{ALL_BUT_REAL, EVER_ONLY},
    slot::{Ended, Record, Slot},
};
use crate::{
    allow::Allow,
    callers::Callers,
    clock,
    hash::{Spread, number},
    ledger::counts::Counts,
    lock::lock,
    panics::{Panic, Panics},
    sites::{Known, Site, Sites},
    threads::{self, Threads},
};

/// Slots of a segment, and segments of the table: 262,144 living tasks have a slot of their own.
const SEGMENT: usize = 256;
const SEGMENTS: usize = 1_024;
/// Maps for the tasks whose slot was taken.
const SHARDS: usize = 64;
/// A map of at least so many places gives most of them back when most are empty.
const SHRINK_MIN: usize = 1_024;

/// One living task, as the registry knows it.
#[derive(Clone, Copy)]
pub(crate) struct Alive {
    pub(crate) id: u64,
    pub(crate) site: Site,
    /// The number of the spawn location, which the ledger's counters have too.
    pub(crate) index: u32,
    /// The spawn location of the task that spawned this one; `None` if no task did.
    pub(crate) parent: Option<Site>,
    /// Milliseconds of the process clock when the task was spawned.
    pub(crate) spawned_ms: u64,
    pub(crate) generation: u64,
    /// How often the task was polled while an `Observation` lived.
    pub(crate) polls: Polls,
    /// The number of the allowance that covers the task, counted from 1; 0 is none.
    pub(crate) allowance: u32,
}

/// The living tasks of one runtime.
pub(crate) struct Registry {
    segments: Box<[OnceLock<Box<[Slot]>>]>,
    overflow: Box<[Shard]>,
    sites: Sites,
    counts: Counts,
    begun_ms: u64,
    pub(crate) allowances: Allowances,
    /// 64 bits, since a program may begin a scope for each request, and 32 bits of them are used up in days. The ordering
    /// is relaxed: a task that is spawned after a scope has begun sees the scope's generation, by the order of accesses to
    /// this one variable; a task for which there is no "after" may be in the scope or not.
    generation: AtomicU64,
    observers: AtomicU32,
    /// How polls are counted: a `Polled`, or 0 for not at all. Relaxed, since the counts tell parked tasks from live ones over
    /// a fifth of a second, and a poll more or less at its beginning does not matter.
    counting: AtomicU32,
    /// Whether polls were counted before the first task was spawned, and have been since.
    from_start: AtomicBool,
    pub(crate) clock_guard: ClockGuard,
    pub(crate) threads: Threads,
    pub(crate) panics: Panics,
    pub(crate) callers: Callers,
}

/// A map of tasks whose slot was taken. `len` says without the lock whether the map is empty. A task's end and its children
/// come after its spawn, so they see its `len`; the `Release` and `Acquire` of `len` add nothing that the lock does not
/// give, and make `len` safe to read alone.
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
            counts: Counts::default(),
            begun_ms: clock::coarse_ms(),
            allowances: Allowances::new(allow),
            generation: AtomicU64::new(0),
            observers: AtomicU32::new(0),
            counting: AtomicU32::new(0),
            from_start: AtomicBool::new(false),
            clock_guard: ClockGuard::default(),
            threads: Threads::default(),
            panics: Panics::default(),
            callers: Callers::default(),
        })
    }

    /// Records a task. Called by the spawn hook, on the thread that spawns.
    pub(crate) fn spawned(&self, id: u64, site: Site) {
        // On a runtime that is shutting down, tokio reports a task's end before its spawn, on one thread.
        if threads::ended_before_spawn() == id {
            return;
        }
        let Known { index, allowance } = self.sites.intern(site, || self.allowances.of(site));
        let record = Record {
            spawned_ms: clock::coarse_ms(),
            generation: self.generation.load(Ordering::Relaxed),
            site: index,
            parent: task::try_id().map_or(0, |parent| self.site_of(number(parent))),
            allowance: self.allowances.begin(allowance),
            polls: 0,
        };
        self.counts.spawned(index);
        if !self.slot(id).try_insert(id, &record) {
            let shard = self.shard(id);
            shard.lock().insert(id, record);
            shard.len.fetch_add(1, Ordering::Release);
        }
    }

    /// Removes a task. Called by the terminate hook; also for blocking closures, whose spawn tokio does not report.
    pub(crate) fn ended(&self, id: u64, by_panic: bool) {
        let ended = match self.slot_of(id) {
            Some(slot) => Some(slot.remove()),
            None => self.remove_overflow(id),
        };
        let Some(ended) = ended else { return threads::set_ended_before_spawn(id) };
        if ended.allowance != 0 {
            self.allowances.end(ended.allowance);
        }
        if by_panic {
            self.counts.panicked(ended.site);
        }
        self.counts.ended(ended.site);
    }

    /// Notes the panic that ends a task. Called before [`ended`](Self::ended), since a verdict may follow that at once.
    pub(crate) fn panicked(&self, panic: Panic, site: Site) {
        self.panics.add(panic, site, self.generation.load(Ordering::Relaxed));
    }

    /// Counts a poll that begins, if an `Observation` lives.
    pub(crate) fn polled(&self, id: u64) {
        let Some(polled) = Polled::from_word(self.counting.load(Ordering::Relaxed)) else { return };
        if let Some(slot) = self.slot_of(id) {
            slot.count_poll(polled);
        } else if let Some(record) = self.shard(id).lock().get_mut(&id) {
            record.polls += polled.step(record.polls);
        }
    }

    /// Visits every living task, in no order. A task that is spawned or ends during the call may be left out.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Alive)) {
        let sites = self.sites.all();
        let site = |index: u32| sites.get((index as usize).checked_sub(1)?).copied();
        let from_start = self.from_start.load(Ordering::Relaxed);
        let alive = |id, record: &Record| {
            Some(Alive {
                id,
                // `None` for a location whose first task was spawned after the call began.
                site: site(record.site)?,
                index: record.site,
                parent: site(record.parent),
                spawned_ms: record.spawned_ms,
                generation: record.generation,
                polls: Polls::of(record.polls, from_start),
                allowance: record.allowance,
            })
        };
        for (id, record) in self.slots().filter_map(Slot::read) {
            alive(id, &record).into_iter().for_each(&mut visit);
        }
        for shard in &self.overflow {
            for (id, record) in shard.lock().iter() {
                alive(*id, record).into_iter().for_each(&mut visit);
            }
        }
    }

    /// Whether a task is alive that no allowance covers and that was spawned since a generation began.
    pub(crate) fn has_since(&self, generation: u64) -> bool {
        let mut counted = Counted::default();
        let mut left = |record: &Record| {
            record.generation >= generation
                && (record.allowance == 0 || counted.is_beyond(self.allowances.limit(record.allowance), record))
        };
        self.slots().any(|slot| slot.read().is_some_and(|(_, record)| left(&record)))
            || self.overflow.iter().any(|shard| shard.lock().values().any(&mut left))
    }

    /// Begins a new generation, and returns its number. Tasks that are spawned after this call have that number or a higher
    /// one.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts polls for as long as the returned guard lives.
    pub(crate) fn observe(self: &Arc<Self>) -> Observation {
        if self.observers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.forget_polls();
            self.count(Polled::InRealTime);
        }
        Observation(self.clone())
    }

    /// As `observe`, before the first task is spawned. The guard must outlive the last look at the tasks.
    pub(crate) fn observe_from_start(self: &Arc<Self>) -> Observation {
        self.from_start.store(true, Ordering::Relaxed);
        self.observe()
    }

    /// How polls are counted from now on.
    pub(crate) fn count(&self, polled: Polled) {
        self.counting.store(polled as u32, Ordering::Relaxed);
    }

    /// Sets all counts of polls in real time to zero, for every `Observation`.
    pub(crate) fn reset_polls(&self) {
        self.keep_of_polls(ALL_BUT_REAL);
    }

    /// Sets all counts of polls to zero, for every `Observation`.
    pub(crate) fn forget_polls(&self) {
        self.keep_of_polls(EVER_ONLY);
    }

    fn keep_of_polls(&self, bits: u32) {
        self.slots().for_each(|slot| slot.reset_polls(bits));
        self.overflow.iter().for_each(|shard| shard.lock().values_mut().for_each(|record| record.polls &= bits));
    }

    /// Whether a task that was spawned since a generation, and that no allowance covers, was polled in virtual time.
    pub(crate) fn polled_in_virtual_time(&self, generation: u64) -> bool {
        let mut polled = false;
        self.for_each(|task| {
            polled |= task.allowance == 0 && task.generation >= generation && task.polls.in_virtual_time > 0;
        });
        polled
    }

    /// The number of a living task's spawn location in `sites`; 0 if the registry does not know the task.
    fn site_of(&self, id: u64) -> u32 {
        match self.slot_of(id) {
            Some(slot) => slot.site(),
            None if self.shard(id).len.load(Ordering::Acquire) == 0 => 0,
            None => self.shard(id).lock().get(&id).map_or(0, |record| record.site),
        }
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.segments.iter().filter_map(OnceLock::get).flatten()
    }

    /// The slot for this task's number, whichever task has it.
    fn slot(&self, id: u64) -> &Slot {
        let index = id as usize % (SEGMENT * SEGMENTS);
        let segment = self.segments[index / SEGMENT].get_or_init(|| (0..SEGMENT).map(|_| Slot::default()).collect());
        &segment[index % SEGMENT]
    }

    /// The slot for this task's number, if it holds this task's record.
    fn slot_of(&self, id: u64) -> Option<&Slot> {
        let index = id as usize % (SEGMENT * SEGMENTS);
        let slot = &self.segments[index / SEGMENT].get()?[index % SEGMENT];
        slot.holds(id).then_some(slot)
    }

    fn shard(&self, id: u64) -> &Shard {
        &self.overflow[id as usize % SHARDS]
    }

    fn remove_overflow(&self, id: u64) -> Option<Ended> {
        let shard = self.shard(id);
        if shard.len.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut records = shard.lock();
        let record = records.remove(&id)?;
        // A service that once had a million tasks does not keep the memory for them.
        if records.capacity() >= SHRINK_MIN && records.len() < records.capacity() / 8 {
            let len = records.len();
            records.shrink_to(len * 2);
        }
        drop(records);
        shard.len.fetch_sub(1, Ordering::Release);
        Some(record.ended())
    }

    /// When the registry was made, in milliseconds of the process clock.
    pub(crate) fn begun_ms(&self) -> u64 {
        self.begun_ms
    }

    /// The counters of the ledger, and the locations that they count.
    pub(crate) fn counts(&self) -> (&Counts, Vec<Site>) {
        (&self.counts, self.sites.all())
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Record, BuildHasherDefault<Spread>>> {
        lock(&self.records)
    }
}

/// How many tasks of each allowance a look has met. Empty, and without memory, as long as no allowance has a number.
#[derive(Default)]
struct Counted(Vec<usize>);

impl Counted {
    /// Whether the task is one more than the limit of its allowance.
    fn is_beyond(&mut self, limit: usize, record: &Record) -> bool {
        if limit == usize::MAX {
            return false;
        }
        let index = record.allowance as usize;
        self.0.resize(self.0.len().max(index + 1), 0);
        self.0[index] += 1;
        self.0[index] > limit
    }
}

/// Ends the counting of polls when dropped.
pub(crate) struct Observation(Arc<Registry>);

impl Drop for Observation {
    fn drop(&mut self) {
        if self.0.observers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.from_start.store(false, Ordering::Relaxed);
            self.0.counting.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, leakcheck_loom))]
mod models;
#[cfg(all(test, not(leakcheck_loom)))]
mod tests;
