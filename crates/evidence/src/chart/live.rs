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
/// 2 KB a gauge, 55 KB in a second as measured with two sides; never more than 30 KB a gauge, however long the run.
pub struct Live {
    statement: Statement,
    sides: Vec<String>,
    recorded: BTreeMap<String, Run>,
    series: BTreeMap<String, Series>,
    drawn_ms: Option<u64>,
}

impl Live {
    /// Nothing has been seen yet. The axes have room for the recorded run of these sides, where there is one.
    pub fn new(statement: Statement, sides: Vec<String>, recorded: Option<Recording>) -> Self {
        let recorded = recorded.map_or_else(BTreeMap::new, |recording| recording.sides);
        Self { statement, sides, recorded, series: BTreeMap::new(), drawn_ms: None }
    }

    /// Takes one sample. Returns every gauge anew when it is time to, and nothing otherwise.
    pub fn push(&mut self, side: &str, sample: &Sample, console_tasks: u64) -> Vec<Drawing> {
        self.series.entry(side.to_owned()).or_default().push(sample, console_tasks);
        let due = self.drawn_ms.is_none_or(|drawn| sample.elapsed_ms >= drawn + INTERVAL_MS);
        if !due {
            return Vec::new();
        }
        self.drawn_ms = Some(sample.elapsed_ms);
        let running = |side| Some(Course { side, series: self.series.get(side)?, before: None, running: true });
        self.draw(&self.of_each_side(running))
    }

    /// The run has ended: every gauge, with what the programs said of the time before the load.
    pub fn end<'a>(&'a self, runs: &'a BTreeMap<String, Run>) -> Vec<Drawing> {
        self.draw(&self.of_each_side(|side| Some(Course::ended(side, runs.get(side)?))))
    }

    fn of_each_side<'a>(&'a self, course: impl Fn(&'a str) -> Option<Course<'a>>) -> Vec<Course<'a>> {
        self.sides.iter().filter_map(|side| course(side)).collect()
    }

    fn draw(&self, courses: &[Course<'_>]) -> Vec<Drawing> {
        let expected = self.of_each_side(|side| Some(Course::ended(side, self.recorded.get(side)?)));
        let draw = |gauge: Gauge| {
            let svg = svg(&gauge, courses, &expected).ok()?;
            Some(Drawing { label: label(&gauge), gauge: gauge.name, svg })
        };
        gauges(&self.statement, courses).into_iter().filter_map(draw).collect()
    }
}
