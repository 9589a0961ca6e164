//! Keeps tests with children apart from tests without.
//!
//! A child belongs to the whole process, so a neighbour's child would give every other test more time than it has alone, and
//! hide that a rule is wrong. Both groups run in parallel, each by itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a test starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Children,
    NoChildren,
}

struct State {
    group: Group,
    inside: usize,
}

static STATE: Mutex<State> = Mutex::new(State { group: Group::NoChildren, inside: 0 });
static LEFT: Condvar = Condvar::new();

/// In the gate until it is dropped.
pub(crate) struct Inside(());

/// Waits until nobody of the other group is inside.
pub(crate) fn enter(group: Group) -> Inside {
    let other = |state: &mut State| state.inside > 0 && state.group != group;
    let mut state = LEFT.wait_while(lock(), other).unwrap_or_else(PoisonError::into_inner);
    state.group = group;
    state.inside += 1;
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        lock().inside -= 1;
        LEFT.notify_all();
    }
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
