//! Drawings of a run that is under way, one for each gauge.

use std::collections::BTreeMap;

use crate::{
    catalogue::Scenario,
    chart,
    series::{ConsoleView, Recording, Report, Run, Series},
};

/// Every gauge of these sides, by name. Nothing before each side has a sample.
pub(super) fn all(scenario: &Scenario, series: &BTreeMap<String, Series>) -> Vec<(String, String)> {
    let gauges = series.values().next().map(|one| one.gauges.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut recording = as_recorded(scenario, series);
    let sides: Vec<_> =
        scenario.sides.iter().map(|side| side.name.as_str()).filter(|side| series.contains_key(*side)).collect();
    gauges
        .into_iter()
        .filter_map(|gauge| {
            recording.gauge.clone_from(&gauge);
            Some((gauge, chart::svg(&recording, &sides).ok()?))
        })
        .collect()
}

/// The chart draws recordings; a run becomes one when it has ended.
fn as_recorded(scenario: &Scenario, series: &BTreeMap<String, Series>) -> Recording {
    let run = |series: &Series| Run { series: series.clone(), report: unfinished(), console: ConsoleView::default() };
    Recording {
        scenario: scenario.name.clone(),
        recorded: String::new(),
        source_hash: String::new(),
        versions: BTreeMap::new(),
        machine: String::new(),
        unit: scenario.statement.unit.clone(),
        units_name: scenario.statement.units_name(),
        rate: scenario.statement.rate,
        gauge: String::new(),
        sides: series.iter().map(|(side, series)| (side.clone(), run(series))).collect(),
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
