//! What a test left, as a run's file and a baseline have it.

use std::{collections::BTreeMap, fmt};

/// A test, by a name that is the same on every machine and in every run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Test {
    /// The file in which the check is written.
    pub(super) file: String,
    pub(super) name: String,
}

/// What is left, by spawn line.
pub(super) type Left = BTreeMap<String, Group>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) tasks: usize,
    /// Each state and its number.
    pub(super) states: Vec<(usize, String)>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Clean,
    Leak,
    /// The body failed by itself. What it left may follow from that, so it is not counted.
    Failed,
    /// The body did not return.
    Hung,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.file, self.name)
    }
}

/// Adds the numbers of equal states.
pub(super) fn sum(one: &[(usize, String)], other: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut all = one.to_vec();
    for (count, state) in other {
        match all.iter_mut().find(|(_, known)| known == state) {
            Some((known, _)) => *known += count,
            None => all.push((*count, state.clone())),
        }
    }
    all
}
