//! Drawings of a run that is under way, one for each gauge.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stage::Statement;

use crate::{
    chart,
    pair::Runs,
    series::{ConsoleView, Recording, Report, Run, Sample, Series},
    side::ordered,
    words::gauge_title,
};

/// All sides together are drawn anew as often as a program is looked at.
const INTERVAL_MS: u64 = 250;

/// One gauge, drawn.
#[derive(Serialize)]
pub(super) struct Drawing {
    gauge: String,
    label: String,
    svg: String,
}

/// What is drawn of a run while it goes on.
pub(super) struct Live {
    recording: Recording,
    drawn_ms: Option<u64>,
}

impl Live {
    /// Nothing has been seen yet.
    pub(super) fn new(statement: Statement, _sides: Vec<String>, _recorded: Option<Recording>) -> Self {
        let recording = Recording {
            scenario: String::new(),
            recorded: String::new(),
            source_hash: String::new(),
            versions: BTreeMap::new(),
            machine: String::new(),
            units_name: statement.units_name(),
            unit: statement.unit,
            rate: statement.rate,
            gauge: statement.gauge,
            sides: BTreeMap::new(),
        };
        Self { recording, drawn_ms: None }
    }

    /// Takes one sample. Returns every gauge anew when it is time to, and nothing otherwise.
    pub(super) fn push(&mut self, side: &str, sample: &Sample, console_tasks: u64) -> Vec<Drawing> {
        let run = self.recording.sides.entry(side.to_owned()).or_insert_with(|| Run {
            series: Series::default(),
            report: unfinished(),
            console: ConsoleView::default(),
        });
        run.series.push(sample, console_tasks);
        if self.drawn_ms.is_some_and(|drawn| sample.elapsed_ms < drawn + INTERVAL_MS) {
            return Vec::new();
        }
        self.drawn_ms = Some(sample.elapsed_ms);
        self.draw()
    }

    /// The run has ended.
    pub(super) fn end(&mut self, runs: &Runs) -> Vec<Drawing> {
        self.recording.sides.clone_from(runs);
        self.draw()
    }

    fn draw(&mut self) -> Vec<Drawing> {
        let series = self.recording.sides.values().map(|run| &run.series);
        let gauges: BTreeSet<_> = series.flat_map(|one| one.gauges.keys().cloned()).collect();
        gauges.into_iter().filter_map(|gauge| self.draw_one(gauge)).collect()
    }

    /// The sides that have the gauge: a scenario's own may be on one side only, and come late.
    fn draw_one(&mut self, gauge: String) -> Option<Drawing> {
        self.recording.gauge.clone_from(&gauge);
        let sides = self.recording.sides.iter().filter(|(_, run)| !run.series.gauge(&gauge).is_empty());
        let svg = chart::svg(&self.recording, &ordered(sides.map(|(side, _)| side.as_str()))).ok()?;
        Some(Drawing { label: gauge_title(&gauge), gauge, svg })
    }
}

fn unfinished() -> Report {
    Report {
        elapsed_ms: 0,
        units_done: 0,
        units_failed: 0,
        units_late: 0,
        units_cut_off: 0,
        interrupted: false,
        stopped: None,
        settled: false,
        panics: 0,
        lateness: Default::default(),
        before: BTreeMap::new(),
        plateau: None,
        after: BTreeMap::new(),
        survivors: BTreeMap::new(),
        stated: BTreeMap::new(),
        spawned_at: Vec::new(),
        problems: Vec::new(),
    }
}
