//! The counters of each spawn line.
//!
//! They run in every task's life, so they must cost nearly nothing, on one thread as on many. A thread that spawns or ends tasks
//! therefore has a number, and counters of its own, which nobody else writes: a load and a store, where an atomic addition would
//! cost five times as much alone and far more in company. The reader adds them up.
//!
//! A number goes back when its thread ends, and the next thread counts on where that one stopped. The lock of the numbers lies
//! between the two, so the next thread sees the last count. Threads that find no number free share counters, and add atomically.

use std::{cell::Cell, sync::Mutex, sync::OnceLock};

use crate::{
    atomic::{AtomicU64, Ordering},
    lock::lock,
    sites::boxed,
};

/// The counters that the registry has at most: those of 16,383 spawn lines, and in the first place those of all others.
pub(crate) const LINES_MAX: usize = 16_384;
/// The lines whose counters are allocated together, when the first of them has a task.
const CHUNK: usize = 256;
/// The threads that have counters of their own.
const NUMBERS: usize = 32;
/// The place of all lines beyond the limit.
const OTHER: usize = 0;

/// What has been counted of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) spawned: u64,
    pub(crate) ended: u64,
    pub(crate) panicked: u64,
}

/// The counters of all lines, by the number that `Sites` gave the line.
pub(crate) struct Counts {
    /// By the thread's number.
    own: Box<[OnceLock<Table>; NUMBERS]>,
    shared: OnceLock<Table>,
}

/// Arrays, and not slices: the compiler then knows that no place lies outside of them.
struct Table(Box<[OnceLock<Box<[Counters; CHUNK]>>; LINES_MAX / CHUNK]>);

#[derive(Default)]
struct Counters {
    spawned: AtomicU64,
    ended: AtomicU64,
    panicked: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { own: boxed(), shared: OnceLock::new() }
    }
}

impl Counts {
    pub(crate) fn spawned(&self, line: u32) {
        self.add(line, |counters| &counters.spawned);
    }

    pub(crate) fn ended(&self, line: u32) {
        self.add(line, |counters| &counters.ended);
    }

    pub(crate) fn panicked(&self, line: u32) {
        self.add(line, |counters| &counters.panicked);
    }

    fn add(&self, line: u32, counter: impl Fn(&Counters) -> &AtomicU64) {
        match self.own.get(number()) {
            Some(table) => count_alone(counter(table.get_or_init(Table::new).counters(line))),
            None => count_among_others(counter(self.shared.get_or_init(Table::new).counters(line))),
        }
    }

    /// What has been counted of the first `lines` lines, by their numbers; at 0, of all lines beyond the limit.
    pub(crate) fn totals(&self, lines: usize) -> Vec<Total> {
        let mut totals = vec![Total::default(); LINES_MAX.min(lines + 1)];
        let tables = || self.own.iter().chain([&self.shared]).filter_map(OnceLock::get);
        // Ends first: whoever has seen a task's end sees its spawn. So no line ever has more ends than spawns.
        tables().for_each(|table| table.add_to(&mut totals, |total, counters| total.ended += read(&counters.ended)));
        tables().for_each(|table| {
            table.add_to(&mut totals, |total, counters| {
                total.spawned += read(&counters.spawned);
                total.panicked += read(&counters.panicked);
            });
        });
        totals
    }
}

/// Counts on a counter that only the calling thread writes.
pub(crate) fn count_alone(counter: &AtomicU64) {
    publish(counter, counter.load(Ordering::Relaxed) + 1);
}

/// `Release`, and `Acquire` in `read`: a task's end comes after its spawn, on whichever threads, so a reader that has seen the end
/// in a counter sees the spawn in another.
pub(crate) fn publish(counter: &AtomicU64, count: u64) {
    counter.store(count, Ordering::Release);
}

/// Counts on a counter of several threads.
pub(crate) fn count_among_others(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Release);
}

pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Acquire)
}

impl Table {
    fn new() -> Self {
        Self(boxed())
    }

    fn counters(&self, line: u32) -> &Counters {
        let place = place(line);
        let chunk = self.0[place / CHUNK].get_or_init(boxed);
        &chunk[place % CHUNK]
    }

    fn add_to(&self, totals: &mut [Total], add: impl Fn(&mut Total, &Counters)) {
        for (chunk, totals) in self.0.iter().zip(totals.chunks_mut(CHUNK)) {
            for (counters, total) in chunk.get().into_iter().flat_map(|chunk| chunk.iter()).zip(totals) {
                add(total, counters);
            }
        }
    }
}

/// The place of a line's counters.
pub(crate) fn place(line: u32) -> usize {
    let line = line as usize;
    if line < LINES_MAX { line } else { OTHER }
}

/// A thread that has not asked for a number, and one that found none free or is at its end.
const UNKNOWN: usize = usize::MAX;
const NONE: usize = NUMBERS;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
    /// Gives the number back. Apart from `NUMBER`, which can be read without a look whether it has been destroyed.
    static KEEPER: Keeper = Keeper::new();
}

/// One bit for each number that a thread has.
static TAKEN: Mutex<u32> = Mutex::new(0);

/// The calling thread's number.
fn number() -> usize {
    match NUMBER.get() {
        UNKNOWN => {
            NUMBER.set(KEEPER.try_with(|keeper| keeper.0).unwrap_or(NONE));
            NUMBER.get()
        }
        number => number,
    }
}

struct Keeper(usize);

impl Keeper {
    fn new() -> Self {
        let mut taken = lock(&TAKEN);
        let free = taken.trailing_ones();
        if free >= u32::BITS {
            return Self(NONE);
        }
        *taken |= 1 << free;
        Self(free as usize)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Tasks that end later, with another thread-local, are counted among those of all.
        NUMBER.set(NONE);
        if self.0 < NUMBERS {
            *lock(&TAKEN) &= !(1 << self.0);
        }
    }
}

#[cfg(all(test, not(leakcheck_loom)))]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn each_number_has_its_bit() {
        assert_eq!(NUMBERS, u32::BITS as usize);
        assert_eq!(LINES_MAX % CHUNK, 0);
    }

    /// More threads at once than numbers, and then more one after another.
    #[test]
    fn threads_with_a_number_and_without_are_all_counted() {
        const THREADS: usize = NUMBERS + 8;
        const TIMES: u64 = 1_000;
        let counts = Counts::default();
        let ready = Barrier::new(THREADS);
        let work = |wait: bool| {
            number();
            if wait {
                ready.wait();
            }
            for _ in 0..TIMES {
                counts.spawned(7);
                counts.ended(7);
            }
            if wait {
                ready.wait();
            }
            number()
        };
        let numbers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| work(true))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(numbers.contains(&NONE), "{numbers:?}");
        for _ in 0..THREADS {
            thread::scope(|scope| assert_ne!(scope.spawn(|| work(false)).join().unwrap(), UNKNOWN));
        }
        let all = 2 * THREADS as u64 * TIMES;
        assert_eq!(counts.totals(7)[7], Total { spawned: all, ended: all, panicked: 0 });
    }

    /// The bound: no line, however high its number, makes the tables larger.
    #[test]
    fn lines_beyond_the_limit_are_counted_as_one() {
        let counts = Counts::default();
        let lines = u32::try_from(LINES_MAX).unwrap();
        for line in 1..lines + 1_000 {
            counts.spawned(line);
            counts.ended(line);
        }
        counts.spawned(u32::MAX);
        let totals = counts.totals(lines as usize + 1_000);
        assert_eq!(totals.len(), LINES_MAX);
        assert_eq!(totals[OTHER], Total { spawned: 1_001, ended: 1_000, panicked: 0 });
        assert!(totals[1..].iter().all(|total| *total == Total { spawned: 1, ended: 1, panicked: 0 }));
        let bytes = (NUMBERS + 1) * LINES_MAX * size_of::<Counters>();
        assert!(bytes < 13 << 20, "{bytes} bytes if every thread has counters of every line");
    }

    /// A thread-local that is destroyed after the number: the task ends in its destructor.
    #[test]
    fn what_ends_with_its_thread_is_counted() {
        thread_local!(static LAST: Cell<Option<Late>> = const { Cell::new(None) });
        struct Late(std::sync::Arc<Counts>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.ended(3);
            }
        }
        let counts = std::sync::Arc::new(Counts::default());
        let late = Late(counts.clone());
        let work = move || {
            LAST.set(Some(late));
            LAST.with(|last| {
                let late = last.take();
                late.iter().for_each(|late| late.0.spawned(3));
                last.set(late);
            });
        };
        thread::spawn(work).join().unwrap();
        assert_eq!(counts.totals(3)[3], Total { spawned: 1, ended: 1, panicked: 0 });
    }
}
