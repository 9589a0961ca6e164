//! The table of a run: what its tests left, by spawn line.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
};

use super::{
    baseline::{Baseline, entry},
    data::{Group, Outcome, Test, sum},
    run::Record,
};
use crate::text::counted;

/// Lines shown of a list; the rest is a number.
const LINES_MAX: usize = 50;

/// A run as text, held against a baseline if there is one.
pub(super) struct Table<'a> {
    pub(super) record: &'a Record,
    pub(super) baseline: Option<&'a Baseline>,
}

/// What all tests left at one line.
#[derive(Default)]
struct Row {
    tests: usize,
    group: Group,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let ran = self.record.tests.len();
        let leaking = self.of(Outcome::Leak).count();
        let tasks: usize = rows.iter().map(|(_, row)| row.group.tasks).sum();
        match leaking {
            0 => writeln!(f, "{} checked, and none left a task behind", counted(ran, "test"))?,
            _ => {
                let (tasks, lines) = (counted(tasks, "task"), counted(rows.len(), "spawn line"));
                writeln!(f, "{leaking} of {} left something behind: {tasks} from {lines}\n", counted(ran, "test"))?;
                write_rows(f, &rows)?;
            }
        }
        let names = |outcome| self.of(outcome).map(Test::to_string).collect::<Vec<_>>();
        list(f, "failed by itself, and what it left is not counted", "test", &names(Outcome::Failed))?;
        list(f, "did not return by its deadline", "test", &names(Outcome::Hung))?;
        if self.record.damaged > 0 {
            writeln!(f, "\n{} of the run's file cannot be read", counted(self.record.damaged, "line"))?;
        }
        self.baseline.map_or(Ok(()), |baseline| self.write_baseline(f, baseline))
    }
}

impl Table<'_> {
    /// The tests that ended so.
    fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Test> {
        self.record.tests.iter().filter(move |(_, (ended, _))| *ended == outcome).map(|(test, _)| test)
    }

    /// What was left by spawn line, most tests first.
    fn rows(&self) -> Vec<(&str, Row)> {
        let mut rows = BTreeMap::<&str, Row>::new();
        for (_, left) in self.record.tests.values() {
            for (line, group) in left {
                let row = rows.entry(line).or_default();
                row.tests += 1;
                row.group.tasks += group.tasks;
                row.group.states = sum(&row.group.states, &group.states);
            }
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|(_, row)| Reverse((row.tests, row.group.tasks)));
        rows
    }

    /// The lines that this run would write into a baseline.
    pub(super) fn entries(&self) -> impl Iterator<Item = String> {
        let tests = self.record.tests.iter();
        tests.flat_map(|(test, (_, left))| left.iter().map(move |(line, group)| entry(test, line, group.tasks)))
    }

    fn write_baseline(&self, f: &mut Formatter<'_>, baseline: &Baseline) -> fmt::Result {
        let tests = &self.record.tests;
        let left = |test: &Test, line: &str| match tests.get(test) {
            Some((_, left)) => left.get(line).map_or(0, |group: &Group| group.tasks),
            None => 0,
        };
        let listed: BTreeMap<_, _> = baseline.entries().map(|(test, line, tasks)| ((test, line), tasks)).collect();
        let mut new = Vec::new();
        for (test, (_, left)) in tests {
            let more = |(line, group): &(&String, &Group)| group.tasks > *listed.get(&(test, &***line)).unwrap_or(&0);
            new.extend(left.iter().filter(more).map(|(line, group)| entry(test, line, group.tasks)));
        }
        let judged = |test| tests.get(test).is_some_and(|(ended, _)| matches!(ended, Outcome::Clean | Outcome::Leak));
        let entries = baseline.entries();
        let (ran, other): (Vec<_>, Vec<_>) = entries.partition(|(test, ..)| judged(*test));
        let unneeded = ran.iter().filter(|(test, line, listed)| left(test, line) < *listed);
        let unneeded: Vec<_> = unneeded.map(|(test, line, tasks)| entry(test, line, *tasks)).collect();
        let absent: BTreeSet<_> = other.iter().map(|(test, ..)| *test).collect();
        let absent: Vec<_> = absent.into_iter().map(Test::to_string).collect();
        writeln!(f, "\nbaseline {}: {}", baseline.shown(), counted(baseline.entries().count(), "line"))?;
        list(f, "not in the baseline", "line", &new)?;
        list(f, "no longer needed in full (LEAKCHECK=shrink removes that)", "line", &unneeded)?;
        list(f, "in the baseline, but not judged in this run", "test", &absent)
    }
}

fn write_rows(f: &mut Formatter<'_>, rows: &[(&str, Row)]) -> fmt::Result {
    let states = |row: &Row| {
        let states: Vec<_> = row.group.states.iter().map(|(count, state)| format!("{count} {state}")).collect();
        states.join(", ")
    };
    let wide = rows.iter().map(|(_, row)| states(row).len()).max().unwrap_or(0).max("states".len());
    writeln!(f, "tests  tasks  {:wide$}  spawned at", "states")?;
    for (line, row) in rows {
        writeln!(f, "{:>5}  {:>5}  {:wide$}  {line}", row.tests, row.group.tasks, states(row))?;
    }
    Ok(())
}

/// How many there are, and which, if there are any.
fn list(f: &mut Formatter<'_>, what: &str, noun: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{} {what}:", counted(lines.len(), noun))?;
    lines.iter().take(LINES_MAX).try_for_each(|line| writeln!(f, "  {line}"))?;
    match lines.len().saturating_sub(LINES_MAX) {
        0 => Ok(()),
        more => writeln!(f, "  and {}", counted(more, "more line")),
    }
}
