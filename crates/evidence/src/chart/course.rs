//! What is drawn: a side's run, the gauges of it, and how these are named and counted.

use anyhow::ensure;
use stage::{
    Statement,
    gauge::{Gauge, Unit, rank},
    wire::Gauges,
};

use crate::{
    series::{Phase, Recording, Run, Series},
    words::{self, grouped},
};

/// The gauge that a series keeps apart: what the other witness counts.
const CONSOLE: &str = "console_tasks";
const KIB_PER_MIB: f64 = 1024.0;

/// One side's run, as far as it has come.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// The side's name.
    pub side: &'a str,
    /// What was seen of it.
    pub series: &'a Series,
    /// What was there before the load, once the program has said it.
    pub before: Option<&'a Gauges>,
    /// True when there is more to come.
    pub running: bool,
}

impl<'a> Course<'a> {
    /// A run that has ended.
    pub fn ended(side: &'a str, run: &'a Run) -> Self {
        Self { side, series: &run.series, before: Some(&run.report.before), running: false }
    }

    /// The runs of these sides of a recording.
    ///
    /// # Errors
    ///
    /// When a side was not recorded, or its record holds no sample of the headline: there is nothing to draw then, and an empty
    /// picture would look like a service without a leak.
    pub fn recorded(recording: &'a Recording, sides: &[&'a str]) -> anyhow::Result<Vec<Self>> {
        ensure!(!sides.is_empty(), "no side to draw");
        let run = |side: &&'a str| {
            let run = recording.run(side)?;
            let seen = !run.series.gauge(&recording.gauge).is_empty();
            ensure!(seen, "the side `{side}` has no sample of `{}`", recording.gauge);
            Ok(Self::ended(side, run))
        };
        sides.iter().map(run).collect()
    }

    pub(super) fn values(&self, gauge: &Gauge) -> &'a [u64] {
        if gauge.name == CONSOLE { &self.series.console_tasks } else { self.series.gauge(&gauge.name) }
    }

    /// The value before the load: the program's own word, or the last sample before the load; none where the first look was
    /// taken under load.
    pub(super) fn start(&self, gauge: &Gauge) -> Option<u64> {
        // Before the load the two witnesses count the same tasks.
        let own = if gauge.name == CONSOLE { "tasks" } else { &gauge.name };
        let told = self.before.and_then(|before| before.get(own)).copied();
        let quiet = self.series.phase.iter().take_while(|phase| **phase == Phase::Start).count();
        told.or_else(|| self.values(gauge).get(quiet.checked_sub(1)?).copied())
    }
}

/// The gauges to choose from: the scenario's headline, its own, the stage's, and what the console counts, where there was one.
pub fn gauges(statement: &Statement, courses: &[Course<'_>]) -> Vec<Gauge> {
    let mut names: Vec<_> = courses.iter().flat_map(|course| course.series.gauges.keys()).map(String::as_str).collect();
    names.sort_by_key(|&name| (name != statement.gauge, Gauge::named(name).is_of_stage(), rank(name)));
    names.dedup();
    let named = names.into_iter().map(|name| statement.gauge(name));
    // Exercises run without a console: where it never saw a task, and the program did, there is none.
    let counts = |values: &[u64]| values.iter().any(|value| *value > 0);
    let has_console =
        courses.iter().any(|course| counts(&course.series.console_tasks) || !counts(course.series.gauge("tasks")));
    named.chain(has_console.then(|| Gauge::named(CONSOLE))).collect()
}

/// The gauge as the drawing names it. Memory is drawn in MiB: KiB would be too many digits.
pub(super) fn title(gauge: &Gauge) -> String {
    if gauge.unit == Unit::Kibibytes { gauge.title().replace("KiB", "MiB") } else { words::title(gauge) }
}

/// A value as it is drawn and said.
pub(super) fn shown(gauge: &Gauge, value: u64) -> f64 {
    if gauge.unit == Unit::Kibibytes { (value as f64 / KIB_PER_MIB).round() } else { value as f64 }
}

/// The same in words.
pub(super) fn text(gauge: &Gauge, value: u64) -> String {
    grouped(shown(gauge, value) as u64)
}

/// A gauge as the button that chooses it is named; the drawing has the whole title.
pub fn label(gauge: &Gauge) -> String {
    match gauge.name.as_str() {
        "console_tasks" => "console".to_owned(),
        "rss_kib" => "memory".to_owned(),
        "heap_kib" => "heap".to_owned(),
        _ if gauge.is_of_stage() => gauge.column().to_owned(),
        _ => title(gauge),
    }
}
