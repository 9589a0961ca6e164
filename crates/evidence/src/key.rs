//! The right answers to what a run can tell: which lines add what stays, and how many are left per unit of work. Pure.

use stage::wire::{Report, SpawnSite, Stated};

use crate::{catalogue::Scenario, exercise::Exercise, words};

/// What the run of the given service says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Key {
    /// The lines of `start.rs` that add what stays, most first; empty where nothing stays.
    pub lines: Vec<Line>,
    /// What is left per unit of work, in all.
    pub per_unit: f64,
    /// The count in words.
    pub seen: String,
}

/// One line that adds what stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number.
    pub line: usize,
    /// What is left per unit of work.
    pub per_unit: f64,
    /// What was seen of it, in words.
    pub seen: String,
}

/// A side's run with its source.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its own report.
    pub report: &'a Report,
    /// The text of its file.
    pub source: &'a str,
}

/// A line that leaves less than this per unit of work is one that is there once.
const PER_UNIT_MIN: f64 = 0.05;

impl Key {
    /// Reads it off the runs of `start` and `solution`.
    ///
    /// # Errors
    /// When the exercise's stated line is not there, or tasks are left and none is `start.rs`'s own.
    pub fn of(exercise: &Exercise, start: Side<'_>, solution: Side<'_>) -> anyhow::Result<Self> {
        let gauge = exercise.gauge();
        let per_unit = start.report.survivors.get(gauge).copied().unwrap_or(0.0);
        let seen = count_seen(&exercise.scenario, gauge, start.report);
        if exercise.is_healthy() {
            let bound = match exercise.goal().get(gauge) {
                Some(Stated::AtMost { at_most }) => {
                    format!("; the service itself keeps at most {at_most}, whatever the load")
                }
                _ => String::new(),
            };
            let seen = format!("nothing stays for good: {seen}{bound}");
            return Ok(Self { lines: Vec::new(), per_unit: 0.0, seen });
        }
        if let Some(line) = exercise.stated_line(start.source)? {
            let lines = vec![Line { line, per_unit, seen: format!("start.rs:{line} adds what stays") }];
            return Ok(Self { lines, per_unit, seen });
        }
        let lines = spawn_lines(start, solution);
        anyhow::ensure!(!lines.is_empty(), "the run of {} left no task of start.rs", exercise.scenario.bin("start"));
        Ok(Self { lines, per_unit, seen })
    }

    /// The numbers of its lines.
    pub fn line_numbers(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.line).collect()
    }
}

/// `tasks: 120 more than before after 160 uploads, 0.75 per upload`.
fn count_seen(scenario: &Scenario, gauge: &str, report: &Report) -> String {
    let of = |gauges: &stage::wire::Gauges| gauges.get(gauge).copied().unwrap_or(0);
    let rise = of(&report.after).saturating_sub(of(&report.before));
    let (title, units, unit) =
        (scenario.statement.gauge(gauge).title(), scenario.statement.units_name(), &scenario.statement.unit);
    let per_unit = words::per_unit(report.survivors.get(gauge).copied().unwrap_or(0.0));
    format!("{title}: {rise} more than before after {} {units}, {per_unit} per {unit}", report.units_done)
}

/// The lines of `start.rs` whose tasks stay. What the solution keeps of the same text is there once, and no leak.
fn spawn_lines(start: Side<'_>, solution: Side<'_>) -> Vec<Line> {
    let units = start.report.units_done.max(1) as f64;
    let kept = sites(&solution.report.spawned_at, "/solution.rs:");
    let text = |source: &str, line: usize| source.lines().nth(line - 1).map(str::trim).unwrap_or_default().to_owned();
    let all: u64 = sites(&start.report.spawned_at, "/start.rs:").iter().map(|(_, alive)| alive).sum();
    let mut lines = Vec::new();
    for (line, alive) in sites(&start.report.spawned_at, "/start.rs:") {
        let named = text(start.source, line);
        let once: u64 =
            kept.iter().filter(|(line, _)| text(solution.source, *line) == named).map(|(_, alive)| alive).sum();
        let left = alive.saturating_sub(once) as f64 / units;
        if left >= PER_UNIT_MIN {
            let seen = format!("start.rs:{line} spawned {alive} of the {all} tasks that are left");
            lines.push(Line { line, per_unit: left, seen });
        }
    }
    lines
}

/// Line and count of those in this file; columns of one line are one.
fn sites(all: &[SpawnSite], file: &str) -> Vec<(usize, u64)> {
    let mut sites: Vec<(usize, u64)> = Vec::new();
    for site in all {
        let Some((_, rest)) = site.location.rsplit_once(file) else { continue };
        let Some(line) = rest.split(':').next().and_then(|line| line.parse().ok()) else { continue };
        match sites.iter_mut().find(|(known, _)| *known == line) {
            Some((_, alive)) => *alive += site.alive,
            None => sites.push((line, site.alive)),
        }
    }
    sites.sort_by_key(|(line, alive)| (std::cmp::Reverse(*alive), *line));
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(units_done: u64, spawned_at: &[(&str, u64)]) -> Report {
        let sites: Vec<_> = spawned_at
            .iter()
            .map(|(location, alive)| serde_json::json!({ "location": location, "alive": alive }))
            .collect();
        serde_json::from_value(serde_json::json!({
            "elapsed_ms": 1, "units_done": units_done, "units_failed": 0, "interrupted": false, "settled": true,
            "before": {}, "after": {}, "survivors": {}, "stated": {}, "spawned_at": sites, "problems": []
        }))
        .unwrap()
    }

    fn lines(start: &[(&str, u64)], solution: &[(&str, u64)]) -> Vec<(usize, f64)> {
        let (start, solution) = (report(160, start), report(160, solution));
        let start = Side { report: &start, source: "a\n  pool.spawn(\nspawn one\nspawn two\n" };
        let solution = Side { report: &solution, source: "a\nb\npool.spawn(\n" };
        spawn_lines(start, solution).into_iter().map(|line| (line.line, line.per_unit)).collect()
    }

    #[test]
    fn lines_whose_tasks_stay_are_told_from_the_world_and_from_what_is_there_once() {
        let start =
            [("exercises/x/start.rs:3:9", 120), ("exercises/x/world.rs:9:1", 4), ("exercises/x/start.rs:4:9", 40)];
        assert_eq!(lines(&start, &[]), [(3, 0.75), (4, 0.25)]);
        assert_eq!(lines(&[("exercises/x/start.rs:4:9", 4)], &[]), [], "four after 160 units are there once");
        let pool = [("exercises/x/start.rs:2:8", 16), ("exercises/x/start.rs:3:9", 40)];
        assert_eq!(
            lines(&pool, &[("exercises/x/solution.rs:3:6", 16)]),
            [(3, 0.25)],
            "the solution keeps the pool, too"
        );
    }
}
