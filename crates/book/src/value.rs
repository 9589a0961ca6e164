//! `{{#value NAME SIDE PATH}}`: one number of a recording.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use evidence::{
    catalogue::Scenario,
    series::{Recording, Run},
    words::{grouped, left, number, per_unit},
};
use stage::wire::Stated;

pub(super) fn value(scenario: &Scenario, recording: &Recording, side: &str, path: &str) -> anyhow::Result<String> {
    let run = recording
        .run(side)
        .with_context(|| format!("if that is new, run `cargo lab record {}`", recording.scenario))?;
    let (kind, name) = path.split_once('.').unwrap_or((path, ""));
    let gauge = scenario.statement.gauge(name);
    match kind {
        "units" => Ok(grouped(run.report.units_done)),
        "seconds" => Ok(format!("{:.1}", run.report.elapsed_ms as f64 / 1000.0)),
        "before" => of(&run.report.before, name).map(|value| number(&gauge, value)),
        "plateau" => early(run, name).map(|value| number(&gauge, value)),
        "after" => of(&run.report.after, name).map(|value| number(&gauge, value)),
        "per-unit" => left(&gauge, of(&run.report.survivors, name)?)
            .with_context(|| format!("`{name}` is a maximum and cannot be divided: write `after.{name}`")),
        "stated" => of(&run.report.stated, name).map(stated),
        "peak" => peak(run, name).map(|value| number(&gauge, value)),
        _ => bail!(
            "unknown value `{path}`; there are units, seconds, and before, plateau, after, per-unit, peak, stated with a gauge, as in `after.tasks`"
        ),
    }
}

/// At rest after the first part of the load, where a run stopped there once: of a control it did.
fn early(run: &Run, name: &str) -> anyhow::Result<u64> {
    of(&run.report.plateau.as_ref().context("this run rested at its end alone")?.gauges, name)
}

fn stated(stated: Stated) -> String {
    match stated {
        Stated::PerUnit(left) => per_unit(left),
        Stated::AtMost { at_most } => grouped(at_most),
    }
}

fn of<T: Copy>(values: &BTreeMap<String, T>, gauge: &str) -> anyhow::Result<T> {
    let known = || values.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    values.get(gauge).copied().with_context(|| format!("no gauge `{gauge}` there, only {}", known()))
}

fn peak(run: &Run, gauge: &str) -> anyhow::Result<u64> {
    let known = || run.series.gauges.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    ensure!(run.series.gauges.contains_key(gauge), "no gauge `{gauge}` there, only {}", known());
    Ok(run.series.peak(gauge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn get(side: &str, path: &str) -> anyhow::Result<String> {
        let source = Source::fixture();
        value(source.scenario("unconsumed-send")?, &*source.recording("unconsumed-send")?, side, path)
    }

    #[test]
    fn an_unknown_side_value_or_gauge_is_an_error_that_names_what_there_is() {
        let error = |side, path| format!("{:#}", get(side, path).unwrap_err());
        assert_eq!(
            error("wrong", "units"),
            "if that is new, run `cargo lab record unconsumed-send`: no side `wrong` is recorded, only fix, leak"
        );
        assert!(error("leak", "after.task").starts_with("no gauge `task` there, only blocking_threads, fds"));
        assert!(error("leak", "stated.fds").starts_with("no gauge `fds` there, only sockets, tasks"));
        assert!(error("leak", "peak.x").starts_with("no gauge `x` there"));
        assert!(error("leak", "afer.tasks").starts_with("unknown value `afer.tasks`"));
    }

    #[test]
    fn every_kind_of_value_is_found() {
        let got: Vec<_> = ["units", "before.tasks", "after.tasks", "per-unit.tasks", "peak.tasks", "stated.tasks"]
            .map(|path| get("leak", path).unwrap())
            .into();
        assert_eq!(got, ["200", "0", "1,200", "6", "1,200", "6"]);
        assert_eq!(get("fix", "per-unit.tasks").unwrap(), "0");
        assert_eq!(get("fix", "seconds").unwrap(), "4.8");
    }
}
