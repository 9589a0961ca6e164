//! What the threads of a runtime are doing: the task that each thread polls, and thread-locals that one hook sets for another.

use std::{
    cell::{Cell, RefCell},
    fs,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
};

use tokio::runtime::{Handle, Id};

use crate::lock::lock;

thread_local! {
    static OWN_NUMBER: Option<u32> = number();
    /// The daemon's name while `daemon` runs its closure.
    static DAEMON: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// The last task that ended on this thread before its spawn was reported.
    static ENDED_BEFORE_SPAWN: Cell<u64> = const { Cell::new(0) };
    /// This thread's slots, by the key of their runtime: one for each runtime that the thread works for, the current one last.
    static SLOTS: RefCell<Vec<(u64, Arc<ThreadSlot>)>> = const { RefCell::new(Vec::new()) };
}

/// How many threads are added before the numbers of ended threads are removed.
const PRUNE_EVERY: usize = 64;
/// How the names of the checker's own threads begin, and of those that Tokio starts.
const KNOWN: [&str; 2] = ["leakcheck-", "tokio-"];
/// The threads that wait for a verdict at this moment.
static SUPERVISING: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// Letters of a thread's name that are kept before its mark. Linux keeps 15 bytes.
const NAME_MAX: usize = 8;

/// The name under which tasks are spawned as daemons on this thread, if any.
pub(crate) fn daemon() -> Option<&'static str> {
    DAEMON.get()
}

/// Runs the closure with the daemon's name set, and restores the former name even if the closure panics.
pub(crate) fn with_daemon<T>(name: &'static str, spawn: impl FnOnce() -> T) -> T {
    struct Restore(Option<&'static str>);
    impl Drop for Restore {
        fn drop(&mut self) {
            DAEMON.set(self.0);
        }
    }
    let _restore = Restore(DAEMON.replace(Some(name)));
    spawn()
}

pub(crate) fn ended_before_spawn() -> u64 {
    ENDED_BEFORE_SPAWN.get()
}

pub(crate) fn set_ended_before_spawn(id: u64) {
    ENDED_BEFORE_SPAWN.set(id);
}

/// The number of this thread's poll of the task, counted from 1; 0 if the thread does not poll the task.
pub(crate) fn poll_of(task: u64) -> u64 {
    let poll = |slots: &RefCell<Vec<(u64, Arc<ThreadSlot>)>>| {
        let slots = slots.try_borrow().ok()?;
        let slot = slots.iter().find(|(_, slot)| slot.polling.load(Ordering::Relaxed) == task);
        slot.map(|(_, slot)| slot.polls.load(Ordering::Relaxed))
    };
    SLOTS.try_with(poll).ok().flatten().unwrap_or(0)
}

/// A thread's own slot. The thread writes what it is doing for one runtime, and any thread may read that.
///
/// `polling` is stored with `Release` after `polls` and loaded with `Acquire` before it: who sees a task sees at least the
/// number of that poll. A reader may see a later number beside the task, if the next poll begins between the two loads.
/// Then the next look differs, or it finds the same task in the very poll that has begun.
#[derive(Default)]
struct ThreadSlot {
    /// The task that the thread polls; 0 is none.
    polling: AtomicU64,
    /// How many polls the thread has begun.
    polls: AtomicU64,
}

/// A poll in progress, as another thread sees it. Two equal values, read one after the other, mean that the poll still goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) task: u64,
    number: u64,
}

/// The threads of one runtime: the slots of those that polled a task, and the system's numbers of those that the runtime
/// started.
pub(crate) struct Threads {
    /// Tells this runtime's slots from another runtime's. An address would not do, since addresses are used again.
    key: u64,
    slots: Mutex<Vec<Arc<ThreadSlot>>>,
    numbers: Mutex<Vec<u32>>,
    /// The number of the thread that drives a current_thread runtime of the checker's own; 0 is none.
    driving: AtomicU32,
    /// The id and not the handle: the runtime owns the hooks and they own this, so a handle would keep the runtime alive.
    runtime: OnceLock<Id>,
}

impl Default for Threads {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            key: NEXT.fetch_add(1, Ordering::Relaxed),
            slots: Mutex::default(),
            numbers: Mutex::default(),
            driving: AtomicU32::new(0),
            runtime: OnceLock::new(),
        }
    }
}

impl Threads {
    /// Notes that this thread begins to poll a task.
    pub(crate) fn enter(&self, task: u64) {
        self.with_slot(|slot| {
            slot.polls.store(slot.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            slot.polling.store(task, Ordering::Release);
        });
    }

    /// Notes that this thread's poll is over.
    pub(crate) fn leave(&self) {
        self.with_slot(|slot| slot.polling.store(0, Ordering::Relaxed));
    }

    /// Notes that the calling thread, on which the runtime is the current one, belongs to the runtime.
    pub(crate) fn note_runtime(&self) {
        if let Ok(handle) = Handle::try_current() {
            self.runtime.get_or_init(|| handle.id());
        }
    }

    /// The runtime's id; `None` as long as the runtime has neither started a thread nor polled a task.
    pub(crate) fn runtime(&self) -> Option<Id> {
        self.runtime.get().copied()
    }

    /// Adds the calling thread's number to those that the probe looks at.
    pub(crate) fn add_current(&self) {
        let Some(number) = own_number() else { return };
        let mut numbers = lock(&self.numbers);
        if !numbers.contains(&number) {
            // Threads of the blocking pool come and go for as long as a service runs.
            if numbers.len() % PRUNE_EVERY == PRUNE_EVERY - 1 {
                numbers.retain(|number| fs::exists(format!("/proc/self/task/{number}")).unwrap_or(true));
            }
            numbers.push(number);
        }
    }

    /// Notes that the calling thread drives a current_thread runtime of the checker's own.
    pub(crate) fn set_driving(&self) {
        self.add_current();
        self.driving.store(own_number().unwrap_or(0), Ordering::Relaxed);
    }

    /// The number of the thread that drives the runtime, if one thread does.
    pub(crate) fn driving(&self) -> Option<u32> {
        Some(self.driving.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    /// Marks the calling thread, and so the threads that it will start: Linux gives a thread without a name of its own the
    /// name of the thread that starts it. The name that Rust knows the thread by, which a panic prints, stays.
    pub(crate) fn mark_current(&self) {
        let name: String = thread::current().name().unwrap_or("test").rsplit(':').next().unwrap_or("").into();
        let kept: String = name.chars().filter(char::is_ascii_graphic).take(NAME_MAX).collect();
        set_name(&(kept + &self.mark()));
    }

    fn mark(&self) -> String {
        format!("~{:x}", self.key)
    }

    /// The threads that the test started by itself: numbers and names. A thread that was given a name is not known.
    pub(crate) fn started_by_the_test(&self) -> Vec<(u32, String)> {
        let mark = self.mark();
        self.others().filter(|(_, name)| name.ends_with(&mark)).collect()
    }

    /// The threads of which nobody knows who started them, or for whom they work: those with a name of their own. Not the
    /// threads of another runtime, which has hooks of its own or none.
    pub(crate) fn started_by_somebody(&self) -> Vec<(u32, String)> {
        let main = std::process::id();
        let supervising = lock(&SUPERVISING).clone();
        let is_known = |name: &str| name.contains('~') || KNOWN.iter().any(|known| name.starts_with(known));
        self.others()
            .filter(|(number, name)| *number != main && !supervising.contains(number) && !is_known(name))
            .collect()
    }

    /// The process's threads that this runtime did not start, with their names.
    fn others(&self) -> impl Iterator<Item = (u32, String)> {
        let known = self.numbers();
        let all = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let others = numbers.filter(move |number| !known.contains(number));
        let name = |number: &u32| fs::read_to_string(format!("/proc/self/task/{number}/comm")).ok();
        others.filter_map(move |number| Some((number, name(&number)?.trim_end().to_owned())))
    }

    /// How many polls all threads have begun.
    pub(crate) fn polls_begun(&self) -> u64 {
        lock(&self.slots).iter().map(|slot| slot.polls.load(Ordering::Relaxed)).sum()
    }

    /// The polls in progress.
    pub(crate) fn polling(&self) -> Vec<Poll> {
        let poll = |slot: &Arc<ThreadSlot>| {
            let task = slot.polling.load(Ordering::Acquire);
            (task != 0).then(|| Poll { task, number: slot.polls.load(Ordering::Relaxed) })
        };
        lock(&self.slots).iter().filter_map(poll).collect()
    }

    /// The system's numbers of the threads.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        lock(&self.numbers).clone()
    }

    fn with_slot(&self, write: impl FnOnce(&ThreadSlot)) {
        // A thread whose thread-locals are destroyed is at its end, and polls no task of the runtime any more.
        let _ = SLOTS.try_with(|slots| {
            let mut slots = slots.borrow_mut();
            if slots.last().is_none_or(|(key, _)| *key != self.key) {
                self.select_slot(&mut slots);
            }
            if let Some((_, slot)) = slots.last() {
                write(slot);
            }
        });
    }

    /// Moves this runtime's slot to the end of the thread's list. If there is none, adds the slot and removes those of runtimes
    /// that are gone.
    fn select_slot(&self, slots: &mut Vec<(u64, Arc<ThreadSlot>)>) {
        if let Some(index) = slots.iter().position(|(key, _)| *key == self.key) {
            let last = slots.len() - 1;
            slots.swap(index, last);
            return;
        }
        self.note_runtime();
        slots.retain(|(_, slot)| Arc::strong_count(slot) > 1);
        let slot = Arc::new(ThreadSlot::default());
        let mut all = lock(&self.slots);
        // The thread of a slot that only this list holds has ended.
        all.retain(|slot| Arc::strong_count(slot) > 1);
        all.push(slot.clone());
        slots.push((self.key, slot));
    }
}

/// Says that the calling thread waits for a verdict, for as long as the guard lives: no test's task waits for such a thread.
pub(crate) struct Supervising(Option<u32>);

impl Supervising {
    pub(crate) fn begin() -> Self {
        let own = own_number();
        lock(&SUPERVISING).extend(own);
        Self(own)
    }
}

impl Drop for Supervising {
    fn drop(&mut self) {
        // A thread may wait for the verdict on a body that waits for another one.
        let mut all = lock(&SUPERVISING);
        if let Some(place) = all.iter().position(|number| Some(*number) == self.0) {
            all.swap_remove(place);
        }
    }
}

// System calls, and not the files of `/proc` that do the same: the first look at a new thread's files costs a clean test ten microseconds.
#[cfg(target_os = "linux")]
fn number() -> Option<u32> {
    u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).ok()
}

#[cfg(not(target_os = "linux"))]
fn number() -> Option<u32> {
    None
}

#[cfg(target_os = "linux")]
fn set_name(name: &str) {
    // A name without a NUL, on the calling thread: nothing can fail.
    let _ = std::ffi::CString::new(name).map(|name| rustix::thread::set_name(&name));
}

#[cfg(not(target_os = "linux"))]
fn set_name(_: &str) {}

/// The calling thread's number, as `/proc` knows it.
pub(crate) fn own_number() -> Option<u32> {
    // A thread at its end may have none of its thread-locals any more.
    OWN_NUMBER.try_with(|number| *number).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_have_ended_are_removed() {
        let threads = Arc::new(Threads::default());
        for _ in 0..4 * PRUNE_EVERY {
            let threads = threads.clone();
            let work = move || {
                threads.add_current();
                threads.enter(1);
                threads.leave();
            };
            std::thread::spawn(work).join().unwrap();
        }
        assert!(lock(&threads.slots).len() <= 2, "{} slots", lock(&threads.slots).len());
        assert!(threads.numbers().len() <= PRUNE_EVERY, "{} numbers", threads.numbers().len());
    }
}
