//! Judges runs. Pure: no clock, no IO; the same run gives the same verdict for ever.

use serde::Serialize;
use stage::{
    Statement,
    gauge::{Gauge, Unit},
    wire::Stated,
};

use crate::series::{Phase, Run, Series};

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "reasons", rename_all = "kebab-case")]
pub enum Outcome {
    /// It leaks, as its side states: the gauge climbed with the load and stayed up.
    Leaks,
    /// It came back to where it started, as its side states.
    Converges,
    /// It keeps something, and never more than its side states, whatever the load.
    Bounded,
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
    /// What is left of it per unit of work; none for a maximum, which cannot be divided.
    pub per_unit: Option<f64>,
    /// What is left of it as people read it: `6.00 tasks stay for every search`.
    pub left: String,
}

/// The gauge must climb at this share of what is stated, while the load runs.
const SLOPE_SHARE_MIN: f64 = 0.5;
/// Fewer samples of the load than this show no trend: a burst is judged by what is left alone.
const TREND_SAMPLES_MIN: usize = 5;

/// Judges one run by the gauge that tells the leak.
pub fn judge(run: &Run, statement: &Statement) -> Verdict {
    let (gauge, unit) = (&statement.gauge(&statement.gauge), &statement.unit);
    let stated = run.report.stated.get(&gauge.name).copied().unwrap_or(Stated::PerUnit(0.0));
    let per_unit = run.report.survivors.get(&gauge.name).copied().unwrap_or(0.0);
    let divided = gauge.per_unit(per_unit);
    Verdict {
        outcome: outcome(run, &gauge.name, stated),
        gauge: gauge.name.clone(),
        per_unit: divided.is_some().then_some(per_unit),
        left: match (stated, divided) {
            (Stated::PerUnit(_), Some(left)) => format!("{left} {} stay for every {unit}", noun(gauge)),
            (Stated::PerUnit(_), None) => format!("{} above the start", more(run, gauge)),
            (Stated::AtMost { at_most }, _) => {
                format!("{} above the start, at most {} stated", more(run, gauge), gauge.value(at_most))
            }
        },
    }
}

/// How far the gauge is above its value before the load, with its name.
fn more(run: &Run, gauge: &Gauge) -> String {
    let at = |gauges: &crate::series::Gauges| gauges.get(&gauge.name).copied().unwrap_or(0);
    let more = at(&run.report.after).saturating_sub(at(&run.report.before));
    format!("{} {}", gauge.value(more), noun(gauge))
}

/// The gauge's name beside a value that has its unit already: `9 ms silence`.
fn noun(gauge: &Gauge) -> &str {
    match gauge.unit {
        Unit::Count => &gauge.name,
        Unit::Milliseconds => gauge.name.trim_end_matches("_ms"),
        Unit::Kibibytes => gauge.name.trim_end_matches("_kib"),
    }
}

fn outcome(run: &Run, gauge: &str, stated: Stated) -> Outcome {
    let doubts = doubts(run);
    if !doubts.is_empty() {
        return Outcome::CannotTell(doubts);
    }
    let mut problems = run.report.problems.clone();
    if stated.grows()
        && let Some(slope) = slope(&run.series, gauge)
        && slope < stated.per_unit() * SLOPE_SHARE_MIN
    {
        let stated = stated.per_unit();
        problems.push(format!("{gauge} climbed by {slope:.2} per unit during the load, stated {stated:.2}"));
    }
    match stated {
        _ if run.report.lateness.forbids_verdict(!problems.is_empty()) => Outcome::CannotTell(vec![too_busy(run)]),
        _ if !problems.is_empty() => Outcome::Differs(problems),
        Stated::AtMost { .. } => Outcome::Bounded,
        Stated::PerUnit(_) if stated.grows() => Outcome::Leaks,
        Stated::PerUnit(_) => Outcome::Converges,
    }
}

fn too_busy(run: &Run) -> String {
    let lateness = &run.report.lateness;
    // What held it up: a timer that came late, or threads that were ready and had no processor.
    let late = lateness.timer_late_ms_max.max(lateness.waited_ms);
    format!("this machine was too busy ({late} ms late): end what else runs on it, and run this again")
}

/// Why the instruments cannot be trusted in this run. The first is the likeliest cause of the others.
fn doubts(run: &Run) -> Vec<String> {
    let (report, console) = (&run.report, &run.console);
    let mut doubts = Vec::new();
    if report.lateness.forbids_verdict(!report.problems.is_empty()) {
        doubts.push(too_busy(run));
    } else if report.units_late > 0 && !report.problems.is_empty() {
        doubts.push(format!("{} units were late, and not by their own doing: run this again", report.units_late));
    }
    if let Some(reason) = &console.ended {
        doubts.push(format!("the console was not followed to the end: {reason}"));
    }
    if console.dropped_events > 0 {
        doubts.push(format!("the console lost {} events", console.dropped_events));
    }
    let program = report.after.get("tasks").copied().unwrap_or(0);
    if console.tasks != program {
        doubts.push(format!("the console counts {} tasks, the program {program}", console.tasks));
    }
    if report.interrupted {
        doubts.push(format!("stopped after {} units", report.units_done));
    }
    if !report.settled {
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
        matches!(self.outcome, Outcome::Leaks | Outcome::Converges | Outcome::Bounded)
    }

    /// The verdict in words.
    pub fn text(&self) -> String {
        let left = &self.left;
        match &self.outcome {
            Outcome::Leaks => format!("leaks: {left}"),
            Outcome::Converges => format!("returns to where it started: {left}"),
            Outcome::Bounded => format!("stays within its bound: {left}"),
            Outcome::Differs(reasons) => format!("not what this side states: {}", reasons.join("; ")),
            Outcome::CannotTell(reasons) => format!("cannot tell: {}", reasons.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use stage::{Shape, gauge::Kind};

    use super::*;
    use crate::series::Recording;

    /// A scenario of searches that is judged by this gauge.
    fn judged_by(gauge: &Gauge) -> Statement {
        let shape = Shape { kind: gauge.kind, unit: gauge.unit };
        Statement {
            unit: "search".into(),
            units_name: None,
            units: 200,
            rate: 100.0,
            gauge: gauge.name.clone(),
            gauges: [(gauge.name.clone(), shape)].into(),
            survivors: [].into(),
        }
    }

    fn run(side: &str) -> Run {
        let stored = include_str!("../tests/fixture/book/recordings/unconsumed-send.json");
        let mut recording: Recording = serde_json::from_str(stored).unwrap();
        recording.sides.remove(side).unwrap()
    }

    /// A side of the stored recording, changed by `spoil`, and what is said of it.
    fn check(side: &str, spoil: impl FnOnce(&mut Run), expected: &str) {
        let mut run = run(side);
        spoil(&mut run);
        let verdict = judge(&run, &judged_by(&Gauge::named("tasks")));
        let said = verdict.text();
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
        let cut = |run: &mut Run| run.console.ended = Some("a message was too large".into());
        check("leak", cut, "cannot tell: the console was not followed to the end: a message was too large");
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
    fn a_machine_that_is_too_busy_is_told_before_any_problem() {
        let busy = |run: &mut Run| {
            run.report.problems = vec!["31 units failed".into()];
            run.report.lateness.too_busy = true;
            run.report.lateness.timer_late_ms_max = 480;
        };
        check("fix", busy, "cannot tell: this machine was too busy (480 ms late): end what else runs");
        let late = |run: &mut Run| {
            run.report.problems = vec!["tasks: 0.50 left per unit, stated 0.00".into()];
            run.report.units_late = 2;
        };
        check("fix", late, "cannot tell: 2 units were late");
        check("fix", |run| run.report.units_late = 2, "returns to where it started");
        // Somewhat late: what is as stated is so all the same, and what differs may differ for that reason.
        check("leak", |run| run.report.lateness.share = 0.1, "leaks: 6.00");
        let flat = |run: &mut Run| {
            run.series.gauges.get_mut("tasks").unwrap().fill(1_200);
            run.report.lateness.share = 0.1;
        };
        check("leak", flat, "cannot tell: this machine was too busy");
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

    /// A run that states a bound of 10 for `gauge`, which rose from 3 to `after`.
    fn bounded(gauge: &Gauge, after: u64) -> Verdict {
        let mut run = run("fix");
        run.report.stated.insert(gauge.name.clone(), Stated::AtMost { at_most: 10 });
        run.report.before.insert(gauge.name.clone(), 3);
        run.report.after.insert(gauge.name.clone(), after);
        run.report.survivors.insert(gauge.name.clone(), 0.035);
        judge(&run, &judged_by(gauge))
    }

    #[test]
    fn what_stays_within_its_bound_has_an_outcome_of_its_own_and_is_not_divided() {
        let verdict = bounded(&Gauge::named("fds"), 10);
        assert_eq!(verdict.outcome, Outcome::Bounded);
        assert!(verdict.as_stated());
        assert_eq!(verdict.text(), "stays within its bound: 7 fds above the start, at most 10 stated");
    }

    #[test]
    fn a_maximum_is_never_divided_and_milliseconds_are_whole() {
        let silence = Gauge { name: "silence_ms".into(), kind: Kind::Maximum, unit: Unit::Milliseconds };
        let verdict = bounded(&silence, 12);
        assert_eq!(verdict.text(), "stays within its bound: 9 ms silence above the start, at most 10 ms stated");
        assert_eq!(verdict.per_unit, None);
        let mut run = run("fix");
        run.report.before.insert("silence_ms".into(), 0);
        run.report.after.insert("silence_ms".into(), 812);
        run.report.survivors.insert("silence_ms".into(), 4.06);
        let said = judge(&run, &judged_by(&silence)).text();
        assert_eq!(said, "returns to where it started: 812 ms silence above the start");
    }
}
