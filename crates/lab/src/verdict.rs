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
    let stated = run.report.stated.get(gauge).map_or(0.0, |stated| stated.per_unit());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Recording;

    /// A side of the stored recording, changed by `spoil`, and what is said of it.
    fn check(side: &str, spoil: impl FnOnce(&mut Run), expected: &str) {
        let stored = include_str!("../tests/fixture/book/recordings/unconsumed-send.json");
        let mut recording: Recording = serde_json::from_str(stored).unwrap();
        let mut run = recording.sides.remove(side).unwrap();
        spoil(&mut run);
        let verdict = judge(&run, "tasks");
        let said = verdict.text("search");
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(verdict.as_stated(), !expected.starts_with("cannot") && !expected.starts_with("not what"));
    }

    #[test]
    fn without_a_trusted_count_there_is_no_verdict() {
        check("leak", |run| run.console.dropped_events = 3, "cannot tell: the console lost 3 events");
        check("leak", |run| run.console.tasks -= 1, "cannot tell: the console counts");
        check("fix", |run| run.console.tasks += 1, "cannot tell: the console counts");
        check("leak", |run| run.report.interrupted = true, "cannot tell: stopped after");
        check("fix", |run| run.report.settled = false, "cannot tell: the counts had not come to rest");
    }

    #[test]
    fn a_side_that_does_something_else_is_told() {
        let rest = |run: &mut Run| run.report.problems = vec!["tasks: 0.50 left per unit, stated 0.00".into()];
        check("fix", rest, "not what this side states: tasks: 0.50 left");
        // It holds 1,200 tasks at the end, and held them before the load: that is no leak of this load.
        let flat = |run: &mut Run| run.series.gauges.get_mut("tasks").unwrap().fill(1_200);
        check("leak", flat, "not what this side states: tasks climbed by 0.00 per unit");
    }

    #[test]
    fn a_leak_leaks_and_a_fix_converges() {
        check("leak", |_| {}, "leaks: 6.00 tasks stay for every search");
        check("fix", |_| {}, "returns to where it started: 0.00 tasks stay");
    }

    #[test]
    fn a_burst_too_short_for_a_trend_is_judged_by_what_is_left() {
        check("leak", |run| run.series = Series::default(), "leaks: 6.00");
    }
}
