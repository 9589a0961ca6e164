//! Plain data: what was seen of a run. Everything that judges or draws takes these values and nothing else.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::{Deserialize, Serialize};
pub use stage::wire::{Gauges, Phase, Report, Sample};

/// A scenario's sides, each run once, with what is needed to know whether the record still holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The scenario's name.
    pub scenario: String,
    /// The day, `2026-11-20`.
    pub recorded: String,
    /// Hash of the scenario's sources; a different one means the record is stale.
    pub source_hash: String,
    /// Locked versions of the crates the numbers depend on, and of rustc.
    pub versions: BTreeMap<String, String>,
    /// The machine: system, cores.
    pub machine: String,
    /// What one unit of work is called.
    pub unit: String,
    /// What several are called.
    pub units_name: String,
    /// Units offered per second.
    pub rate: f64,
    /// The gauge that tells the leak.
    pub gauge: String,
    /// Every side by name.
    pub sides: BTreeMap<String, Run>,
}

/// One run of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The gauges over time.
    pub series: Series,
    /// The program's own last word.
    pub report: Report,
    /// What the console saw at the end.
    pub console: ConsoleView,
    /// How the service ended; only an exercise says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// The first lines of the program's error output. They may name processes and addresses, so no record keeps them.
    #[serde(skip)]
    pub said: Vec<String>,
}

/// How the service of a side ended: the last line of an exercise's program. The crate `exercise` says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "closing")]
pub struct Closing {
    /// False when it had not ended within the program's own limit.
    pub ended: bool,
    /// What went wrong as it ended; none when nothing did.
    pub error: Option<String>,
    /// Milliseconds until it had ended.
    pub took_ms: u64,
    /// Work that was accepted before the end, and neither finished nor refused.
    pub unfinished: u64,
    /// Work that was finished more than once, over the whole run.
    pub repeated: u64,
    /// The median time of a unit of work, in microseconds; none without units.
    pub median_us: Option<u64>,
}

/// Gauges over time, in columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Milliseconds since the program started.
    pub elapsed_ms: Vec<u64>,
    /// The phase of each sample.
    pub phase: Vec<Phase>,
    /// Units of work done.
    pub units_done: Vec<u64>,
    /// Each gauge's values; 0 where a sample had none.
    pub gauges: BTreeMap<String, Vec<u64>>,
    /// Live tasks as the console told them at that time.
    pub console_tasks: Vec<u64>,
}

/// The console's side of the story after the run came to rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsoleView {
    /// Live tasks of kind `task`.
    pub tasks: u64,
    /// Events the server says it lost; above 0 the picture is wrong for good.
    pub dropped_events: u64,
    /// Live tasks, alike ones together, most first.
    pub groups: Vec<Group>,
    /// Why the console was not followed to the end; none when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Live tasks that were spawned at the same line and wait for the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// `file:line:column` of the spawn.
    pub spawned_at: String,
    /// The task's name; empty when it has none.
    pub name: String,
    /// `task`, `blocking`, `block_on` or `local`.
    pub kind: String,
    /// `idle`, `scheduled` or `busy`.
    pub state: String,
    /// The resource the tasks wait on, in words; none where the console cannot see the wait.
    pub waits_on: Option<String>,
    /// The fewest and the most polls among them.
    pub polls: (u64, u64),
}

impl ConsoleView {
    /// Live tasks of kind `task` by the line that spawned them, in whatever state and whatever they wait for; most first.
    pub fn lines(&self) -> Vec<(&str, u64)> {
        let mut lines = BTreeMap::<_, u64>::new();
        for group in self.groups.iter().filter(|group| group.kind == "task") {
            *lines.entry(group.spawned_at.as_str()).or_default() += group.count;
        }
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort_by_key(|(line, count)| (std::cmp::Reverse(*count), *line));
        lines
    }

    /// What most tasks of a line wait for, and how many do.
    pub fn wait_at(&self, line: &str) -> Option<(Option<&str>, u64)> {
        let mut waits = BTreeMap::<_, u64>::new();
        for group in self.groups.iter().filter(|group| group.kind == "task" && group.spawned_at == line) {
            *waits.entry(group.waits_on.as_deref()).or_default() += group.count;
        }
        waits.into_iter().max_by_key(|(_, count)| *count)
    }
}

impl Recording {
    /// The recorded run of a side.
    ///
    /// # Errors
    /// When it was not recorded; names the sides that were.
    pub fn run(&self, side: &str) -> anyhow::Result<&Run> {
        self.sides.get(side).with_context(|| {
            let known: Vec<_> = self.sides.keys().map(String::as_str).collect();
            format!("no side `{side}` is recorded, only {}", known.join(", "))
        })
    }
}

impl Series {
    /// Adds one sample, with the console's count at that time.
    pub fn push(&mut self, sample: &Sample, console_tasks: u64) {
        let len = self.elapsed_ms.len();
        self.elapsed_ms.push(sample.elapsed_ms);
        self.phase.push(sample.phase);
        self.units_done.push(sample.units_done);
        self.console_tasks.push(console_tasks);
        for (name, value) in &sample.gauges {
            let column = self.gauges.entry(name.clone()).or_default();
            column.resize(len, 0);
            column.push(*value);
        }
        for column in self.gauges.values_mut() {
            column.resize(len + 1, 0);
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.elapsed_ms.len()
    }

    /// True before the first sample.
    pub fn is_empty(&self) -> bool {
        self.elapsed_ms.is_empty()
    }

    /// A gauge's values over time; empty when the gauge was never there.
    pub fn gauge(&self, name: &str) -> &[u64] {
        self.gauges.get(name).map_or(&[], Vec::as_slice)
    }

    /// The highest value a gauge had; 0 when it was never there.
    pub fn peak(&self, name: &str) -> u64 {
        self.gauge(name).iter().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(elapsed_ms: u64, gauges: &[(&str, u64)]) -> Sample {
        let gauges = gauges.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Sample { elapsed_ms, phase: Phase::Load, units_done: 0, gauges }
    }

    fn group(count: u64, spawned_at: &str, kind: &str, state: &str, waits_on: Option<&str>) -> Group {
        let waits_on = waits_on.map(str::to_owned);
        let (spawned_at, kind, state) = (spawned_at.to_owned(), kind.to_owned(), state.to_owned());
        Group { count, spawned_at, name: String::new(), kind, state, waits_on, polls: (1, 1) }
    }

    #[test]
    fn tasks_of_one_line_count_together_whatever_they_wait_for() {
        let view = ConsoleView {
            groups: vec![
                group(500, "c.rs:1:1", "blocking", "idle", None),
                group(360, "a.rs:1:1", "task", "idle", Some("a lock")),
                group(100, "b.rs:1:1", "task", "idle", None),
                group(80, "a.rs:1:1", "task", "idle", None),
                group(40, "a.rs:1:1", "task", "scheduled", None),
            ],
            ..ConsoleView::default()
        };
        assert_eq!(view.lines(), [("a.rs:1:1", 480), ("b.rs:1:1", 100)]);
        assert_eq!(view.wait_at("a.rs:1:1"), Some((Some("a lock"), 360)));
        assert_eq!(view.wait_at("d.rs:1:1"), None);
    }

    #[test]
    fn columns_stay_of_equal_length_when_a_gauge_comes_and_goes() {
        let mut series = Series::default();
        series.push(&sample(0, &[("tasks", 1)]), 1);
        series.push(&sample(250, &[("tasks", 2), ("permits", 9)]), 2);
        series.push(&sample(500, &[("permits", 8)]), 3);
        assert_eq!(series.gauge("tasks"), [1, 2, 0]);
        assert_eq!(series.gauge("permits"), [0, 9, 8]);
        assert_eq!(series.peak("permits"), 9);
        assert_eq!(series.gauge("unknown"), [] as [u64; 0]);
    }
}
