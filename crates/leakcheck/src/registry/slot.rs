//! The record of one living task: in a slot of the table, or behind the lock of a shard.

use crate::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::polls::Polled;

/// The id of a slot that holds no record. Tokio's ids begin at 1.
const FREE: u64 = 0;
/// The id of a slot whose record is being written.
const CLAIMED: u64 = u64::MAX;

/// What the registry notes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) spawned_ms: u64,
    pub(super) generation: u64,
    /// Numbers of `Sites`; a parent of 0 is none.
    pub(super) site: u32,
    pub(super) parent: u32,
    pub(super) allowance: u32,
    /// See `Polls`.
    pub(super) polls: u32,
}

/// What the registry needs of a record when its task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) site: u32,
    pub(super) allowance: u32,
}

impl Record {
    pub(super) fn ended(&self) -> Ended {
        Ended { site: self.site, allowance: self.allowance }
    }
}

/// A place in the table for one record: a seqlock, with the task's id as the sequence number.
///
/// `id` goes from `FREE` to `CLAIMED` to a task's id and back to `FREE`. Tokio never uses an id twice, so a reader who
/// finds the same id before and after its loads knows that the slot held one record all the while. Three pairs of orderings
/// make this so:
///
/// 1. *`try_insert` stores the id with `Release`, `read` and `holds` load it with `Acquire`.* Who sees the id sees the
///    whole record. Otherwise a reader could see the new id beside fields of the record before.
/// 2. *`try_insert` has a `Release` fence after the claim, `read` has an `Acquire` fence before its second load of the id.*
///    A reader that sees one field of a new record then sees at least the claim of that record, and discards what it read.
///    Otherwise the fields, whose stores are relaxed, could become visible before the claim does: the reader would see the
///    old id twice, and fields of the new record in between. The `Acquire` of the claim itself orders later loads and
///    stores after the claim's load only, not after its store.
/// 3. *`remove` stores `FREE` with `Release`, the claim loads it with `Acquire`.* The loads and stores of the old record
///    come before the stores of the new one. Otherwise `remove` could return the allowance of the task that comes next, and
///    a poll of the old task could be counted for the next one.
///
/// All other accesses are relaxed. `site`, `count_poll` and the load in `remove` are called for a task that is alive, by
/// the thread that polls or ends the task, after `holds` returned true; nobody else frees the slot. `reset_polls` may hit
/// any record at any moment: a count of polls begins at zero in each new record, so a reset too many changes nothing.
///
/// The test `a_reader_never_mixes_two_records` fails under Miri if any ordering of 1 or 2 is weakened, and one of the models in `models.rs`
/// fails if any ordering at all is.
#[derive(Default)]
pub(super) struct Slot {
    id: AtomicU64,
    spawned_ms: AtomicU64,
    generation: AtomicU64,
    site: AtomicU32,
    parent: AtomicU32,
    allowance: AtomicU32,
    polls: AtomicU32,
}

impl Slot {
    /// Writes the record if the slot is free.
    pub(super) fn try_insert(&self, id: u64, record: &Record) -> bool {
        if self.id.compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        fence(Ordering::Release);
        self.site.store(record.site, Ordering::Relaxed);
        self.parent.store(record.parent, Ordering::Relaxed);
        self.spawned_ms.store(record.spawned_ms, Ordering::Relaxed);
        self.generation.store(record.generation, Ordering::Relaxed);
        self.allowance.store(record.allowance, Ordering::Relaxed);
        self.polls.store(record.polls, Ordering::Relaxed);
        self.id.store(id, Ordering::Release);
        true
    }

    /// Frees the slot and returns what is needed of the record. The caller's task holds the slot.
    pub(super) fn remove(&self) -> Ended {
        let ended = Ended { site: self.site(), allowance: self.allowance.load(Ordering::Relaxed) };
        self.id.store(FREE, Ordering::Release);
        ended
    }

    /// Whether the slot holds this task's record.
    pub(super) fn holds(&self, id: u64) -> bool {
        self.id.load(Ordering::Acquire) == id
    }

    /// The site of the task that holds the slot, which must be alive during the call.
    pub(super) fn site(&self) -> u32 {
        self.site.load(Ordering::Relaxed)
    }

    pub(super) fn count_poll(&self, polled: Polled) {
        // Not a plain store: a reset may come between the load and the addition, and must not be undone.
        self.polls.fetch_add(polled.step(self.polls.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    pub(super) fn reset_polls(&self, keep: u32) {
        self.polls.fetch_and(keep, Ordering::Relaxed);
    }

    /// A copy of the record, by any thread; `None` if the slot is free or changes meanwhile.
    pub(super) fn read(&self) -> Option<(u64, Record)> {
        self.read_while(|| {})
    }

    /// Calls the closure in the middle of the read, for a test.
    fn read_while(&self, meanwhile: impl FnOnce()) -> Option<(u64, Record)> {
        let id = self.id.load(Ordering::Acquire);
        if id == FREE || id == CLAIMED {
            return None;
        }
        let site = self.site.load(Ordering::Relaxed);
        meanwhile();
        let record = Record {
            spawned_ms: self.spawned_ms.load(Ordering::Relaxed),
            generation: self.generation.load(Ordering::Relaxed),
            site,
            parent: self.parent.load(Ordering::Relaxed),
            allowance: self.allowance.load(Ordering::Relaxed),
            polls: self.polls.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        (self.id.load(Ordering::Relaxed) == id).then_some((id, record))
    }
}

#[cfg(all(test, not(leakcheck_loom)))]
mod tests {
    use std::{iter, thread};

    use super::*;

    /// Each field follows from the id, so a record that mixes two tasks is seen.
    fn record(id: u64) -> Record {
        let part = u32::try_from(id).unwrap();
        Record {
            spawned_ms: id * 7,
            generation: id * 11,
            site: part * 3,
            parent: part * 5,
            allowance: part * 13,
            polls: part * 17,
        }
    }

    #[test]
    fn a_slot_holds_one_record_at_a_time() {
        let slot = Slot::default();
        assert!(slot.try_insert(1, &record(1)));
        assert!(!slot.try_insert(2, &record(2)), "the slot is taken");
        assert_eq!(slot.read(), Some((1, record(1))));
        assert!(slot.holds(1) && !slot.holds(2));
        assert_eq!(slot.remove(), record(1).ended());
        assert_eq!(slot.read(), None);
        assert!(slot.try_insert(2, &record(2)));
        assert_eq!(slot.read(), Some((2, record(2))));
    }

    #[test]
    fn a_record_that_changes_while_it_is_read_is_discarded() {
        let slot = Slot::default();
        assert!(slot.try_insert(1, &record(1)));
        let replace = || {
            slot.remove();
            assert!(slot.try_insert(2, &record(2)));
        };
        assert_eq!(slot.read_while(replace), None);
        assert_eq!(slot.read(), Some((2, record(2))));
        let remove = || {
            slot.remove();
        };
        assert_eq!(slot.read_while(remove), None);
    }

    /// For Miri, under which the test fails without a fence or an ordering. x86 keeps the order of stores and the order of loads.
    /// The writer goes on until each reader has met many tasks.
    #[test]
    fn a_reader_never_mixes_two_records() {
        const READERS: u32 = 2;
        const TASKS: usize = 50;
        /// Counts the reader out, even if its assertion fails.
        struct Finish<'a>(&'a AtomicU32);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let (slot, reading) = (Slot::default(), AtomicU32::new(READERS));
        let read = || {
            let _finish = Finish(&reading);
            let mut last = 0;
            for _ in 0..TASKS {
                // A task that is met again proves nothing: the writer may be waiting for a processor.
                let mut others = iter::repeat_with(|| slot.read()).flatten().filter(|(id, _)| *id != last);
                let (id, read) = others.next().unwrap();
                assert_eq!(read, record(id), "the fields of task {id}");
                last = id;
            }
        };
        thread::scope(|scope| {
            (0..READERS).for_each(|_| drop(scope.spawn(read)));
            for id in 1.. {
                assert!(slot.try_insert(id, &record(id)));
                if id % 64 == 0 {
                    thread::yield_now();
                }
                assert_eq!(slot.remove(), record(id).ended());
                if reading.load(Ordering::Relaxed) == 0 {
                    break;
                }
            }
        });
    }
}
