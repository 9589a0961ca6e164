//! The lines of `--json`: the only interface between a scenario and a program that watches it, besides the console port.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gauge;

/// Every gauge by name: the stage's, as [`gauge::STAGE`] lists them, and the scenario's own.
/// A gauge that this system cannot read is absent.
pub type Gauges = BTreeMap<String, u64>;

/// One line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one report in a run; a box would only be in the way of its readers"
)]
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
    /// The load ends when the process holds this much memory, in MiB; 0 in records from before there was a limit.
    #[serde(default)]
    pub memory_max_mib: u64,
}

/// The phase a run is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The service starts; nothing is offered yet.
    Start,
    /// Units of work are offered.
    Load,
    /// No more work, or none for now (`--pause-at`); the counts come to rest.
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
    /// Of these, units that ended in an error, and not because the clock was late.
    pub units_failed: u64,
    /// Of these, units that ended in an error while this process's own clock was late.
    #[serde(default)]
    pub units_late: u64,
    /// Units that had not ended some time after the load, and were dropped. They are not among the finished ones.
    #[serde(default)]
    pub units_cut_off: u64,
    /// True when Ctrl-C, SIGTERM or the end of standard input ended the load early.
    pub interrupted: bool,
    /// Why the load ended before all units were offered; none when it did not.
    #[serde(default)]
    pub stopped: Option<String>,
    /// True when the counts came to rest within the limit.
    pub settled: bool,
    /// Panics since the program started, caught or not.
    #[serde(default)]
    pub panics: u64,
    /// How late the process's own clock was.
    #[serde(default)]
    pub lateness: Lateness,
    /// The gauges just before the load.
    pub before: Gauges,
    /// The gauges in the middle of the load, with `--pause-at`.
    #[serde(default)]
    pub plateau: Option<Plateau>,
    /// The gauges after the quiet phase.
    pub after: Gauges,
    /// `(after - before) / units_done`, for every gauge.
    pub survivors: BTreeMap<String, f64>,
    /// What the side states, for the gauges it speaks of.
    pub stated: BTreeMap<String, Stated>,
    /// Where the tasks that are still alive were spawned, most first; tasks from before the load included.
    pub spawned_at: Vec<SpawnSite>,
    /// Each way in which the run differs from what the side states; empty when it did what it should.
    pub problems: Vec<String>,
}

/// What a side states of one gauge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "expected a number per unit of work, or `{ at_most = N }`")]
pub enum Stated {
    /// So much is left per unit of work.
    PerUnit(f64),
    /// Never more than this above the start, whatever the load.
    AtMost {
        /// The most that may be left.
        at_most: u64,
    },
}

impl Stated {
    /// What is left per unit of work; nothing per unit where only a bound is stated.
    pub fn per_unit(self) -> f64 {
        match self {
            Self::PerUnit(left) => left,
            Self::AtMost { .. } => 0.0,
        }
    }

    /// True when the gauge is stated to grow with the load.
    pub fn grows(self) -> bool {
        self.per_unit() > 0.0
    }
}

/// How late this process was, measured from the load to the report. On a machine that is too busy nothing can be judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lateness {
    /// The sum of all delays of a periodic timer, in milliseconds.
    pub timer_late_ms: u64,
    /// The longest of these delays.
    pub timer_late_ms_max: u64,
    /// How long threads of this process were ready to run and had no processor, all together; Linux only, else 0.
    pub waited_ms: u64,
    /// The share of the measured time by which the timer was late.
    pub share: f64,
    /// True when the machine was too busy for a verdict.
    pub too_busy: bool,
}

/// Nobody is told that a side did not what it states when this share of the run was late: lateness is the likelier reason.
pub const LATE_SHARE_DIFFERS: f64 = 0.05;

impl Lateness {
    /// True when the machine was too busy for a verdict on a run that did what its side states, or did not.
    pub fn forbids_verdict(&self, differs: bool) -> bool {
        self.too_busy || (differs && self.share > LATE_SHARE_DIFFERS)
    }
}

/// The gauges at rest in the middle of the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Units of work finished by then.
    pub units_done: u64,
    /// The gauges.
    pub gauges: Gauges,
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

/// Holds what is left against what was stated, and names every difference. Pure: no clock, no IO.
pub fn differences(
    stated: &BTreeMap<String, Stated>,
    before: &Gauges,
    after: &Gauges,
    survivors: &BTreeMap<String, f64>,
) -> Vec<String> {
    let differs = |(gauge, &stated): (&String, &Stated)| match (after.get(gauge), stated) {
        (None, _) if is_unreadable(gauge, after) => None,
        (None, _) => Some(format!("{gauge}: stated, and never reported")),
        (Some(&after), Stated::AtMost { at_most }) => {
            let more = after.saturating_sub(before.get(gauge).copied().unwrap_or(0));
            (more > at_most).then(|| format!("{gauge}: {more} more than before the load, at most {at_most} stated"))
        }
        (Some(_), Stated::PerUnit(expected)) => {
            let left = survivors.get(gauge).copied().unwrap_or(0.0);
            let as_stated = if expected == 0.0 {
                left.abs() <= REST_PER_UNIT_MAX
            } else {
                (LEAK_SHARE_MIN..=1.0 / LEAK_SHARE_MIN).contains(&(left / expected))
            };
            (!as_stated).then(|| format!("{gauge}: {left:.2} left per unit, stated {expected:.2}"))
        }
    };
    stated.iter().filter_map(differs).collect()
}

/// True for a gauge of `/proc` on a system that has none.
fn is_unreadable(gauge: &str, after: &Gauges) -> bool {
    gauge::FROM_PROC.contains(&gauge) && gauge::FROM_PROC.iter().all(|name| !after.contains_key(*name))
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

    fn stated(gauges: &[(&str, Stated)]) -> BTreeMap<String, Stated> {
        gauges.iter().map(|(name, stated)| ((*name).to_owned(), *stated)).collect()
    }

    fn gauges(gauges: &[(&str, u64)]) -> Gauges {
        gauges.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn check(expected: f64, left: f64) -> usize {
        let tasks = gauges(&[("tasks", 1)]);
        let survivors = BTreeMap::from([("tasks".to_owned(), left)]);
        differences(&stated(&[("tasks", Stated::PerUnit(expected))]), &tasks, &tasks, &survivors).len()
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
    fn a_bound_is_held_by_the_count_and_not_by_the_count_per_unit() {
        let (pool, before) = (stated(&[("tasks", Stated::AtMost { at_most: 10 })]), gauges(&[("tasks", 3)]));
        let said = |after| differences(&pool, &before, &gauges(&[("tasks", after)]), &BTreeMap::new());
        assert_eq!(said(17), ["tasks: 14 more than before the load, at most 10 stated"]);
        assert!(said(13).is_empty() && said(0).is_empty());
    }

    #[test]
    fn a_stated_gauge_that_never_comes_differs() {
        let typo = stated(&[("tasks", Stated::PerUnit(1.0)), ("offers_hled", Stated::AtMost { at_most: 1 })]);
        let said = differences(&typo, &Gauges::new(), &Gauges::new(), &BTreeMap::new());
        assert_eq!(said, ["offers_hled: stated, and never reported", "tasks: stated, and never reported"]);
    }

    #[test]
    fn a_gauge_of_proc_is_excused_only_where_there_is_no_proc() {
        let sockets = stated(&[("sockets", Stated::PerUnit(1.0))]);
        let said = |after: &[_]| differences(&sockets, &Gauges::new(), &gauges(after), &BTreeMap::new());
        assert!(said(&[("tasks", 1)]).is_empty());
        assert_eq!(said(&[("tasks", 1), ("threads", 4)]), ["sockets: stated, and never reported"]);
    }

    #[test]
    fn a_statement_is_a_number_or_a_bound() {
        let read = serde_json::from_str::<Stated>;
        assert_eq!(read("6").unwrap(), Stated::PerUnit(6.0));
        assert_eq!(read(r#"{"at_most":10}"#).unwrap(), Stated::AtMost { at_most: 10 });
        let error = read(r#"{"atmost":10}"#).unwrap_err().to_string();
        assert!(error.contains("`{ at_most = N }`"), "{error}");
    }

    #[test]
    fn a_report_from_before_the_newer_fields_can_be_read() {
        let old = r#"{"elapsed_ms":1,"units_done":1,"units_failed":0,"interrupted":false,"settled":true,"before":{},
            "after":{},"survivors":{},"stated":{"tasks":6.0},"spawned_at":[],"problems":[]}"#;
        let report: Report = serde_json::from_str(old).unwrap();
        assert_eq!(report.stated["tasks"], Stated::PerUnit(6.0));
        assert!(report.plateau.is_none() && !report.lateness.too_busy);
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
