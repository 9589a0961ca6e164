//! Judges runs. Pure: no clock, no IO; the same run gives the same verdict for ever.

use serde::Serialize;

use crate::series::{Phase, Run, Series};

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "reasons", rename_all = "kebab-case")]
pub enum Outcome {
    /// It leaks, as its side states: the gauge climbed with the load and stayed up.
    Leaks,
    /// It came back to where it started, as its side states.
    Converges,
    /// It did something else than its side states.
    Differs(Vec<String>),
    /// The instruments do not allow a verdict.
    CannotTell(Vec<String>),
}

/// The verdict on one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What the run showed.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The gauge it was judged by.
    pub gauge: String,
    /// What is left of it per unit of work.
    pub per_unit: f64,
}

/// The gauge must climb at this share of what is stated, while the load runs.
const SLOPE_SHARE_MIN: f64 = 0.5;
/// Fewer samples of the load than this show no trend: a burst is judged by what is left alone.
const TREND_SAMPLES_MIN: usize = 5;

/// Judges one run by the gauge that tells the leak.
pub fn judge(run: &Run, gauge: &str) -> Verdict {
    let per_unit = run.report.survivors.get(gauge).copied().unwrap_or(0.0);
    Verdict { outcome: outcome(run, gauge), gauge: gauge.to_owned(), per_unit }
}

fn outcome(run: &Run, gauge: &str) -> Outcome {
    let doubts = doubts(run);
    if !doubts.is_empty() {
        return Outcome::CannotTell(doubts);
    }
    let stated = run.report.stated.get(gauge).copied().unwrap_or(0.0);
    let mut problems = run.report.problems.clone();
    if stated > 0.0
        && let Some(slope) = slope(&run.series, gauge)
        && slope < stated * SLOPE_SHARE_MIN
    {
        problems.push(format!("{gauge} climbed by {slope:.2} per unit during the load, stated {stated:.2}"));
    }
    match problems {
        problems if !problems.is_empty() => Outcome::Differs(problems),
        _ if stated > 0.0 => Outcome::Leaks,
        _ => Outcome::Converges,
    }
}

/// Why the instruments cannot be trusted in this run.
fn doubts(run: &Run) -> Vec<String> {
    let mut doubts = Vec::new();
    let program = run.report.after.get("tasks").copied().unwrap_or(0);
    if run.console.dropped_events > 0 {
        doubts.push(format!("the console lost {} events", run.console.dropped_events));
    }
    if run.console.tasks != program {
        doubts.push(format!("the console counts {} tasks, the program {program}", run.console.tasks));
    }
    if run.report.interrupted {
        doubts.push(format!("stopped after {} units", run.report.units_done));
    }
    if !run.report.settled {
        doubts.push("the counts had not come to rest".to_owned());
    }
    doubts
}

/// How much the gauge grew per unit of work while the load ran: the least-squares slope. None without a trend to see.
fn slope(series: &Series, gauge: &str) -> Option<f64> {
    let values = series.gauge(gauge);
    let points: Vec<_> = (0..values.len())
        .filter(|&i| series.phase[i] == Phase::Load)
        .map(|i| (series.units_done[i] as f64, values[i] as f64))
        .collect();
    let n = points.len() as f64;
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let joint: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    (points.len() >= TREND_SAMPLES_MIN && spread > 0.0).then(|| joint / spread)
}

impl Verdict {
    /// True when the run did what its side states.
    pub fn as_stated(&self) -> bool {
        matches!(self.outcome, Outcome::Leaks | Outcome::Converges)
    }

    /// The verdict in words.
    pub fn text(&self, unit: &str) -> String {
        let Self { gauge, per_unit, .. } = self;
        match &self.outcome {
            Outcome::Leaks => format!("leaks: {per_unit:.2} {gauge} stay for every {unit}"),
            Outcome::Converges => format!("returns to where it started: {per_unit:.2} {gauge} stay for every {unit}"),
            Outcome::Differs(reasons) => format!("not what this side states: {}", reasons.join("; ")),
            Outcome::CannotTell(reasons) => format!("cannot tell: {}", reasons.join("; ")),
        }
    }
}
