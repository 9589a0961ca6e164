//! What runs without a lock, under every interleaving and every order that the memory model allows: by loom.
//!
//! `scripts/test models` runs it.
//!
//! Each ordering was weakened by itself once, and a model failed each time: `Release` and `Acquire` of the id, both fences, `Acquire` of
//! `holds`, `Release` of `remove`, `Acquire` of the claim, and the three of the counters.
//!
//! loom gives a load every value that the orderings permit, but runs the operations of one thread in their order.

use loom::{model, sync::Arc, thread};

use super::slot::{Ended, Record, Slot};
use crate::{
    atomic::{AtomicU64, Ordering},
    ledger::counts::{count_alone, count_among_others, publish, read},
};

/// Each field follows from the id, so a record that mixes two tasks is seen.
fn record(id: u32) -> Record {
    Record {
        spawned_ms: u64::from(id) * 3,
        generation: u64::from(id) * 5,
        site: id * 7,
        parent: id * 11,
        allowance: id * 13,
        polls: 0,
    }
}

fn check(read: Option<(u64, Record)>) {
    if let Some((id, read)) = read {
        assert_eq!(Record { polls: 0, ..read }, record(u32::try_from(id).unwrap()), "the fields of task {id}");
    }
}

/// Orderings 1 and 2 of `Slot`: a reader meets a slot that is freed and claimed again.
#[test]
fn loom_a_reader_never_mixes_two_records() {
    model(|| {
        let slot = Arc::new(Slot::default());
        assert!(slot.try_insert(1, &record(1)));
        let writer = slot.clone();
        let writer = thread::spawn(move || {
            assert_eq!(writer.remove(), Ended { site: 7, allowance: 13 });
            assert!(writer.try_insert(2, &record(2)));
        });
        check(slot.read());
        writer.join().unwrap();
        assert_eq!(slot.read(), Some((2, record(2))));
    });
}

/// Ordering 1 alone: the first record of a slot. Without `Release`, or `Acquire` in `holds`, the child finds no parent.
#[test]
fn loom_who_finds_the_id_finds_the_fields() {
    model(|| {
        let slot = Arc::new(Slot::default());
        let writer = slot.clone();
        let writer = thread::spawn(move || assert!(writer.try_insert(1, &record(1))));
        if slot.holds(1) {
            assert_eq!(slot.site(), record(1).site);
        }
        check(slot.read());
        writer.join().unwrap();
    });
}

/// Ordering 3: two threads want the place that a third one frees. One gets it, and what it reads of the old task is the old task's.
#[test]
fn loom_a_place_has_one_owner() {
    model(|| {
        let slot = Arc::new(Slot::default());
        assert!(slot.try_insert(1, &record(1)));
        let claim = |id: u32| {
            let slot = slot.clone();
            thread::spawn(move || {
                let claimed = slot.try_insert(u64::from(id), &record(id));
                claimed.then(|| slot.remove())
            })
        };
        let claims = [claim(2), claim(3)];
        assert_eq!(slot.remove(), record(1).ended());
        for (claim, id) in claims.into_iter().zip([2, 3]) {
            let ended = claim.join().unwrap();
            assert!(ended.is_none_or(|ended| ended == record(id).ended()));
        }
        assert_eq!(slot.read(), None);
    });
}

/// Spawned on one thread, ended on another, read on a third: a reader that has seen the end has seen the spawn.
fn ends_never_exceed_spawns(count: fn(&AtomicU64)) {
    model(move || {
        let [spawned, ended, queue] = [(); 3].map(|()| Arc::new(AtomicU64::new(0)));
        let (spawns, ends, queued) = (spawned.clone(), ended.clone(), queue.clone());
        let spawner = thread::spawn(move || {
            count(&spawns);
            // As tokio's queue does when it hands the task over.
            queued.store(1, Ordering::Release);
        });
        let worker = thread::spawn(move || {
            if queue.load(Ordering::Acquire) == 1 {
                count(&ends);
            }
        });
        let seen = read(&ended);
        assert!(seen <= read(&spawned), "a task has ended that was never spawned");
        spawner.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn loom_a_line_has_never_more_ends_than_spawns() {
    // Not `count_alone`: loom keeps one last access of each variable, so the load before the store hides from it that the reader could
    // have come later.
    ends_never_exceed_spawns(|counter| publish(counter, 1));
    ends_never_exceed_spawns(count_among_others);
}

/// A thread's number goes to the next thread through a lock, and with it the counters.
#[test]
fn loom_a_number_that_changes_hands_loses_no_count() {
    model(|| {
        let counter = Arc::new(AtomicU64::new(0));
        let free = Arc::new(loom::sync::Mutex::new(true));
        let work = |counter: Arc<AtomicU64>, free: Arc<loom::sync::Mutex<bool>>| {
            let own = std::mem::take(&mut *free.lock().unwrap());
            if own {
                count_alone(&counter);
                *free.lock().unwrap() = true;
            }
            own
        };
        let (others, number) = (counter.clone(), free.clone());
        let other = thread::spawn(move || u64::from(work(others, number)));
        let own = u64::from(work(counter.clone(), free));
        assert_eq!(other.join().unwrap() + own, read(&counter));
    });
}
