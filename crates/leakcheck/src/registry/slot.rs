//! The record of one living task: in a slot of the table, or behind the lock of a shard.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// The id of a slot that holds no record. Tokio's ids begin at 1.
const FREE: u64 = 0;
/// The id of a slot whose record is being written.
const CLAIMED: u64 = u64::MAX;

/// What the registry notes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Keys of `Sites`; a parent of 0 is none.
    pub(super) site: usize,
    pub(super) parent: usize,
    pub(super) spawned_ms: u32,
    pub(super) generation: u32,
    pub(super) allowance: u32,
    pub(super) polls: u32,
}

/// A place in the table for one record. The thread that claimed the slot is its only writer; `id` is written last, so a reader
/// who finds the same id before and after has read what belongs to it. Ids are never used twice.
#[derive(Default)]
pub(super) struct Slot {
    id: AtomicU64,
    site: AtomicUsize,
    parent: AtomicUsize,
    spawned_ms: AtomicU32,
    generation: AtomicU32,
    allowance: AtomicU32,
    polls: AtomicU32,
}

impl Slot {
    /// Writes the record if the slot is free.
    pub(super) fn try_insert(&self, id: u64, record: &Record) -> bool {
        if self.id.compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        self.site.store(record.site, Ordering::Relaxed);
        self.parent.store(record.parent, Ordering::Relaxed);
        self.spawned_ms.store(record.spawned_ms, Ordering::Relaxed);
        self.generation.store(record.generation, Ordering::Relaxed);
        self.allowance.store(record.allowance, Ordering::Relaxed);
        self.polls.store(record.polls, Ordering::Relaxed);
        self.id.store(id, Ordering::Release);
        true
    }

    /// Frees the slot and returns the record's allowance. The caller's task holds the slot.
    pub(super) fn remove(&self) -> u32 {
        let allowance = self.allowance.load(Ordering::Relaxed);
        self.id.store(FREE, Ordering::Release);
        allowance
    }

    /// Whether the slot holds this task's record.
    pub(super) fn holds(&self, id: u64) -> bool {
        self.id.load(Ordering::Acquire) == id
    }

    /// The site of the task that holds the slot, which must be alive during the call.
    pub(super) fn site(&self) -> usize {
        self.site.load(Ordering::Relaxed)
    }

    pub(super) fn count_poll(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reset_polls(&self) {
        self.polls.store(0, Ordering::Relaxed);
    }

    /// A copy of the record, by any thread; `None` if the slot is free or changes meanwhile.
    pub(super) fn read(&self) -> Option<(u64, Record)> {
        let id = self.id.load(Ordering::Acquire);
        if id == FREE || id == CLAIMED {
            return None;
        }
        let record = Record {
            site: self.site.load(Ordering::Relaxed),
            parent: self.parent.load(Ordering::Relaxed),
            spawned_ms: self.spawned_ms.load(Ordering::Relaxed),
            generation: self.generation.load(Ordering::Relaxed),
            allowance: self.allowance.load(Ordering::Relaxed),
            polls: self.polls.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        (self.id.load(Ordering::Relaxed) == id).then_some((id, record))
    }
}
