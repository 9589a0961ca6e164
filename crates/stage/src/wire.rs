//! The lines of `--json`: the only interface between a scenario and a program that watches it, besides the console port.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Every gauge by name. `tasks`, `threads`, `blocking_threads`, `fds`, `sockets` and `rss_kib` are the stage's;
/// a scenario may add its own. A gauge that this system cannot read is absent.
pub type Gauges = BTreeMap<String, u64>;

/// One line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// First line: who speaks, and where its console is.
    Hello(Hello),
    /// Four times a second.
    Sample(Sample),
    /// Once, after the quiet phase.
    Report(Report),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The binary's name.
    pub bin: String,
    /// The process.
    pub pid: u32,
    /// The address of the console server; none with `--no-console`.
    pub console: Option<String>,
    /// Units of work that will be offered.
    pub units: u64,
}

/// The phase a run is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The service starts; nothing is offered yet.
    Start,
    /// Units of work are offered.
    Load,
    /// No more work; the counts come to rest.
    Quiet,
}

/// One look at every gauge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the program started.
    pub elapsed_ms: u64,
    /// The phase.
    pub phase: Phase,
    /// Units of work finished so far.
    pub units_done: u64,
    /// The gauges at this moment.
    pub gauges: Gauges,
}

/// The last line: what is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Milliseconds since the program started.
    pub elapsed_ms: u64,
    /// Units of work finished.
    pub units_done: u64,
    /// Of these, units that ended in an error.
    pub units_failed: u64,
    /// True when Ctrl-C, SIGTERM or the end of standard input ended the load early.
    pub interrupted: bool,
    /// True when the counts came to rest within the limit.
    pub settled: bool,
    /// The gauges just before the load.
    pub before: Gauges,
    /// The gauges after the quiet phase.
    pub after: Gauges,
    /// `(after - before) / units_done`, for every gauge.
    pub survivors: BTreeMap<String, f64>,
    /// What the side states, for the gauges it speaks of.
    pub stated: BTreeMap<String, f64>,
    /// Where the tasks that are still alive were spawned, most first; tasks from before the load included.
    pub spawned_at: Vec<SpawnSite>,
    /// Each way in which the run differs from what the side states; empty when it did what it should.
    pub problems: Vec<String>,
}

/// Tasks that are still alive, by the line that spawned them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnSite {
    /// `file:line:column`; files of other crates begin with the crate's name and version.
    pub location: String,
    /// Tasks spawned there and not ended.
    pub alive: u64,
}

/// A side that leaks must leave at least this share of what it states, and at most its inverse.
pub const LEAK_SHARE_MIN: f64 = 0.95;
/// A side that states nothing is left may leave this much per unit of work.
pub const REST_PER_UNIT_MAX: f64 = 0.01;

/// Holds what is left per unit against what was stated, and names every difference. Pure: no clock, no IO.
pub fn differences(stated: &BTreeMap<String, f64>, survivors: &BTreeMap<String, f64>) -> Vec<String> {
    stated
        .iter()
        .filter_map(|(gauge, &expected)| match survivors.get(gauge) {
            // Not every system can read every gauge; the task count is always there.
            None if gauge == "tasks" => Some("the task count is missing".to_owned()),
            None => None,
            Some(&left) if expected == 0.0 && left.abs() <= REST_PER_UNIT_MAX => None,
            Some(&left) if expected != 0.0 && (LEAK_SHARE_MIN..=1.0 / LEAK_SHARE_MIN).contains(&(left / expected)) => {
                None
            }
            Some(left) => Some(format!("{gauge}: {left:.2} left per unit, stated {expected:.2}")),
        })
        .collect()
}

/// Cuts the folder of cargo's registry off a location in another crate: `tonic-0.14.9/src/transport/…`.
pub fn shorten(location: &str) -> String {
    match location.split_once("/registry/src/") {
        Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, file)| file).to_owned(),
        None => location.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stated: f64, left: f64) -> usize {
        let one = |value| BTreeMap::from([("tasks".to_owned(), value)]);
        differences(&one(stated), &one(left)).len()
    }

    #[test]
    fn a_leak_that_leaves_too_little_or_too_much_differs() {
        assert_eq!(check(6.0, 5.6), 1);
        assert_eq!(check(6.0, 6.4), 1);
        assert_eq!(check(6.0, 0.0), 1);
        assert_eq!(check(6.0, 5.8), 0);
    }

    #[test]
    fn a_fix_that_leaves_something_differs() {
        assert_eq!(check(0.0, 0.02), 1);
        assert_eq!(check(0.0, -0.02), 1);
        assert_eq!(check(0.0, 0.01), 0);
    }

    #[test]
    fn a_missing_task_count_differs_and_a_gauge_of_another_system_does_not() {
        let stated = BTreeMap::from([("tasks".to_owned(), 1.0), ("fds".to_owned(), 1.0)]);
        assert_eq!(differences(&stated, &BTreeMap::new()), ["the task count is missing"]);
    }

    #[test]
    fn only_the_registry_is_cut_off() {
        assert_eq!(
            shorten("/home/x/.cargo/registry/src/index-1/tonic-0.14.9/src/a.rs:1:2"),
            "tonic-0.14.9/src/a.rs:1:2"
        );
        assert_eq!(shorten("scenarios/x/leak.rs:1:2"), "scenarios/x/leak.rs:1:2");
    }
}
