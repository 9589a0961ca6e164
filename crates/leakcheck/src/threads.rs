//! What the threads of a runtime are doing: the task in whose poll each one is, and marks that a hook leaves for the next.

use std::{
    cell::{Cell, RefCell},
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

thread_local! {
    /// The daemon's name while `daemon` runs its closure.
    static DAEMON: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// The last task that ended on this thread without having been born.
    static ENDED_UNBORN: Cell<u64> = const { Cell::new(0) };
    /// Where this thread says what it polls: one desk for each runtime it works for, the latest last.
    static DESKS: RefCell<Vec<(u64, Arc<Desk>)>> = const { RefCell::new(Vec::new()) };
}

/// After so many threads, those that have ended are forgotten.
const FORGET_EVERY: usize = 64;

/// The name under which tasks are spawned as daemons on this thread, if any.
pub(crate) fn daemon() -> Option<&'static str> {
    DAEMON.get()
}

/// Runs the closure with the mark set, and restores the former one even if it panics.
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

pub(crate) fn ended_unborn() -> u64 {
    ENDED_UNBORN.get()
}

pub(crate) fn set_ended_unborn(id: u64) {
    ENDED_UNBORN.set(id);
}

/// One thread's word on what it is doing. Only that thread writes.
#[derive(Default)]
pub(crate) struct Desk {
    /// The task being polled; 0 is none.
    polling: AtomicU64,
    polls: AtomicU64,
}

/// A poll as seen from outside: the same one is still going on if two looks are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) task: u64,
    number: u64,
}

/// The threads that ever polled a task of the runtime, and the system's numbers of those it started.
pub(crate) struct Threads {
    /// Tells these threads' desks from another runtime's. An address would be used again.
    key: u64,
    desks: Mutex<Vec<Arc<Desk>>>,
    system: Mutex<Vec<u32>>,
}

impl Default for Threads {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { key: NEXT.fetch_add(1, Ordering::Relaxed), desks: Mutex::default(), system: Mutex::default() }
    }
}

impl Threads {
    /// This thread begins to poll a task.
    pub(crate) fn enter(&self, task: u64) {
        self.at_desk(|desk| {
            desk.polls.store(desk.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            desk.polling.store(task, Ordering::Release);
        });
    }

    /// The poll is over.
    pub(crate) fn leave(&self) {
        self.at_desk(|desk| desk.polling.store(0, Ordering::Relaxed));
    }

    /// Remembers the thread that calls, for the probe.
    pub(crate) fn remember(&self) {
        if let Some(number) = own_number() {
            let mut system = lock(&self.system);
            if !system.contains(&number) {
                // Threads of the blocking pool come and go for as long as a service runs.
                if system.len() % FORGET_EVERY == FORGET_EVERY - 1 {
                    system.retain(|number| fs::exists(format!("/proc/self/task/{number}")).unwrap_or(true));
                }
                system.push(number);
            }
        }
    }

    /// The polls that are going on.
    pub(crate) fn polling(&self) -> Vec<Poll> {
        let poll = |desk: &Arc<Desk>| {
            let task = desk.polling.load(Ordering::Acquire);
            (task != 0).then(|| Poll { task, number: desk.polls.load(Ordering::Relaxed) })
        };
        lock(&self.desks).iter().filter_map(poll).collect()
    }

    /// The system's numbers of the threads.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        lock(&self.system).clone()
    }

    fn at_desk(&self, write: impl FnOnce(&Desk)) {
        // A thread whose locals are gone polls nothing any more that matters here.
        let _ = DESKS.try_with(|desks| {
            let mut desks = desks.borrow_mut();
            if desks.last().is_none_or(|(key, _)| *key != self.key) {
                self.sit_down(&mut desks);
            }
            if let Some((_, desk)) = desks.last() {
                write(desk);
            }
        });
    }

    /// Brings this runtime's desk to the end of the thread's list, and forgets those of runtimes that are gone.
    fn sit_down(&self, desks: &mut Vec<(u64, Arc<Desk>)>) {
        if let Some(place) = desks.iter().position(|(key, _)| *key == self.key) {
            let last = desks.len() - 1;
            desks.swap(place, last);
            return;
        }
        desks.retain(|(_, desk)| Arc::strong_count(desk) > 1);
        let desk = Arc::new(Desk::default());
        let mut all = lock(&self.desks);
        // A desk that only this list knows belonged to a thread that has ended.
        all.retain(|desk| Arc::strong_count(desk) > 1);
        all.push(desk.clone());
        desks.push((self.key, desk));
    }
}

/// The calling thread's number, as `/proc` knows it.
pub(crate) fn own_number() -> Option<u32> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_have_ended_are_forgotten() {
        let threads = Arc::new(Threads::default());
        for _ in 0..4 * FORGET_EVERY {
            let threads = threads.clone();
            let work = move || {
                threads.remember();
                threads.enter(1);
                threads.leave();
            };
            std::thread::spawn(work).join().unwrap();
        }
        assert!(lock(&threads.desks).len() <= 2, "{} desks", lock(&threads.desks).len());
        assert!(threads.numbers().len() <= FORGET_EVERY, "{} numbers", threads.numbers().len());
    }
}
