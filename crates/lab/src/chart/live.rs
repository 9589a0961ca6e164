//! The drawings of a run that is under way.

use std::collections::BTreeMap;

use serde::Serialize;
use stage::{Statement, gauge::Gauge};

use super::{
    course::{Course, gauges, label},
    draw::svg,
};
use crate::series::{Recording, Run, Sample, Series};

/// A run is drawn anew at most this often: as often as a program is looked at, for all its sides together.
const INTERVAL_MS: u64 = 250;

/// One gauge, drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drawing {
    /// The gauge's name.
    pub gauge: String,
    /// What to write on the button that chooses it.
    pub label: String,
    /// The whole element.
    pub svg: String,
}

/// What is drawn of a run while it goes on. All gauges are drawn at each step, for the reader may look at any of them: about
/// 2 KB a gauge, so four times in a second some 80 KB; never more than 30 KB a gauge, however long the run.
pub struct Live<'a> {
    statement: &'a Statement,
    sides: &'a [String],
    expected: Vec<Course<'a>>,
    series: BTreeMap<String, Series>,
    drawn_ms: Option<u64>,
}

impl<'a> Live<'a> {
    /// Nothing has been seen yet. The axes have room for the recorded run, where there is one.
    pub fn new(statement: &'a Statement, sides: &'a [String], recorded: Option<&'a Recording>) -> Self {
        let run = |side: &'a String| Some(Course::ended(side, recorded?.sides.get(side)?));
        let expected = sides.iter().filter_map(run).collect();
        Self { statement, sides, expected, series: BTreeMap::new(), drawn_ms: None }
    }

    /// Takes one sample. Returns every gauge anew when it is time to, and nothing otherwise.
    pub fn push(&mut self, side: &str, sample: &Sample, console_tasks: u64) -> Vec<Drawing> {
        self.series.entry(side.to_owned()).or_default().push(sample, console_tasks);
        let due = self.drawn_ms.is_none_or(|drawn| sample.elapsed_ms >= drawn + INTERVAL_MS);
        if !due {
            return Vec::new();
        }
        self.drawn_ms = Some(sample.elapsed_ms);
        let running = |side: &'a String| {
            let series = self.series.get(side)?;
            Some(Course { side, series, before: None, running: true })
        };
        self.draw(&self.sides.iter().filter_map(running).collect::<Vec<_>>())
    }

    /// The run has ended: every gauge, with what the programs said of the time before the load.
    pub fn end(&self, runs: &BTreeMap<String, Run>) -> Vec<Drawing> {
        let ended = |side: &'a String| Some(Course::ended(side, runs.get(side)?));
        self.draw(&self.sides.iter().filter_map(ended).collect::<Vec<_>>())
    }

    fn draw(&self, courses: &[Course<'_>]) -> Vec<Drawing> {
        let draw = |gauge: Gauge| {
            let svg = svg(&gauge, courses, &self.expected).ok()?;
            Some(Drawing { label: label(&gauge), gauge: gauge.name, svg })
        };
        gauges(self.statement, courses).into_iter().filter_map(draw).collect()
    }
}
