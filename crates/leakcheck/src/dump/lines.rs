//! What a task dump says.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::report::{Await, Report};

/// What is awaited, by file, line and column of the spawn.
pub(super) type ByPlace = BTreeMap<(String, u32, u32), Vec<Await>>;

/// What a dump says.
#[derive(Default)]
pub(crate) struct Lines {
    /// Of the body, if it was asked.
    pub(crate) body: Vec<String>,
    pub(super) tasks: ByPlace,
    /// Why there are no lines of tasks.
    pub(super) why: Option<String>,
}

impl Lines {
    pub(super) fn added_to(mut self, mut report: Report) -> Report {
        for group in &mut report.survivors {
            let place = (group.file.clone(), group.line, group.column);
            group.awaits = self.tasks.remove(&place).unwrap_or_default();
            group.awaits.sort_by_key(|line| Reverse(line.count));
        }
        report.body_awaits = self.body;
        let none = report.body_awaits.is_empty() && report.survivors.iter().all(|group| group.awaits.is_empty());
        report.no_await_lines = self.why.or_else(|| {
            let why = "the dump names no line of yours: optimised builds and foreign primitives hide them";
            none.then(|| why.to_owned())
        });
        report
    }
}
