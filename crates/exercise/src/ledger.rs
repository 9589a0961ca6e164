//! What was accepted and what became of it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Every piece of work by its number: accepted once, then finished once or refused once.
///
/// The world keeps it where the service cannot reach: `accept` when the service says yes, `finish` when the effect is seen
/// outside (a row in the peer, a file, an answer at the client).
#[derive(Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// Times that a piece of work was finished; none yet where it was only accepted.
    work: HashMap<u64, u32>,
    repeated: u64,
}

impl Ledger {
    /// The service has said that it will do this.
    pub fn accept(&self, id: u64) {
        self.entries().work.entry(id).or_insert(0);
    }

    /// The effect of the work was seen. An effect may be seen before the answer that accepts the work.
    pub fn finish(&self, id: u64) {
        let mut entries = self.entries();
        let times = entries.work.entry(id).or_insert(0);
        *times += 1;
        if *times > 1 {
            entries.repeated += 1;
        }
    }

    /// The service has said that it will not do this after all: that is honest, and not the same as silence.
    pub fn refuse(&self, id: u64) {
        self.entries().work.remove(&id);
    }

    /// Accepted, and neither finished nor refused.
    pub fn unfinished(&self) -> u64 {
        self.entries().work.values().filter(|&&times| times == 0).count() as u64
    }

    /// Seen more often than once, over the whole run.
    pub fn repeated(&self) -> u64 {
        self.entries().repeated
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_unfinished_until_it_is_finished_or_refused_and_twice_is_too_often() {
        let ledger = Ledger::default();
        (1..=3).for_each(|id| ledger.accept(id));
        ledger.finish(1);
        ledger.refuse(2);
        assert_eq!((ledger.unfinished(), ledger.repeated()), (1, 0));
        ledger.finish(1);
        ledger.finish(3);
        assert_eq!((ledger.unfinished(), ledger.repeated()), (0, 1));
    }

    #[test]
    fn an_effect_that_is_seen_before_the_answer_is_one_piece_of_work() {
        let ledger = Ledger::default();
        ledger.finish(7);
        ledger.accept(7);
        assert_eq!((ledger.unfinished(), ledger.repeated()), (0, 0));
    }
}
