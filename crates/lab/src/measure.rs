//! Makes a recording: runs every side of a scenario or an exercise, and keeps what was seen.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use evidence::{
    catalogue::Scenario,
    contract::as_stated,
    exercise::Exercise,
    exhibit::{Exhibits, Kind},
    made_by::MadeBy,
    series::{Recording, Run},
    verdict,
};

use crate::{
    check::{self, Outcome},
    pair::{self, Event},
    today,
};

/// After this share of the work the counts come to rest for the first time, where a run rests twice: of a control, whose twin looks the same until
/// then, and in the test of all pairs.
pub const EARLY: u64 = 4;
/// Sides beyond leak and fix run this many at a time.
const AT_ONCE: usize = 2;

/// Runs every side of a scenario and returns the record.
///
/// # Errors
/// When a run fails, or does not do what its side states: such a run must not become the book's evidence.
pub async fn make(root: &Path, scenario: &Scenario, on: &(dyn Fn(Event) + Sync)) -> anyhow::Result<Recording> {
    let made_by = today::made_by(Exhibits::of(scenario).ingredients(Kind::Runs).now(root)?)?;
    let mut sides = BTreeMap::<String, Run>::new();
    let early = match scenario.is_control() {
        true => vec!["--pause-at".to_owned(), (scenario.statement.units / EARLY).to_string()],
        false => Vec::new(),
    };
    for some in scenario.side_names().chunks(AT_ONCE) {
        sides.extend(pair::run(root, scenario, some, &early, on).await?);
    }
    for (side, run) in &sides {
        let verdict = verdict::judge(run, &scenario.statement);
        if !verdict.as_stated() {
            bail!("not recorded: {} {}", scenario.bin(side), verdict.text());
        }
    }
    Ok(recording(scenario, made_by, &scenario.statement.gauge, sides))
}

/// Runs every side of an exercise but the reader's copy, a few at a time with its solution beside them, and returns the record.
///
/// # Errors
/// When a side does not do what the exercise says of it, says no report, or the machine was too busy to tell.
pub async fn make_exercise(root: &Path, exercise: &Exercise, on: check::Tell<'_>) -> anyhow::Result<Recording> {
    let made_by = today::made_by(Exhibits::of(&exercise.scenario).ingredients(Kind::Runs).now(root)?)?;
    let names: Vec<_> = exercise.proven().map(str::to_owned).collect();
    let mut sides = BTreeMap::<String, Run>::new();
    for (side, seen) in check::run_all(root, exercise, &names, on).await? {
        let bin = exercise.scenario.bin(&side);
        ensure!(
            seen.outcome != Outcome::TooBusy,
            "not recorded: this machine was too busy to tell whether {bin} is as stated"
        );
        as_stated(exercise, &side, &seen.faults).with_context(|| format!("not recorded: {bin}"))?;
        sides.insert(side, seen.run.with_context(|| format!("not recorded: {bin} came to no report"))?);
    }
    Ok(recording(&exercise.scenario, made_by, exercise.gauge(), sides))
}

fn recording(scenario: &Scenario, made_by: MadeBy, gauge: &str, sides: BTreeMap<String, Run>) -> Recording {
    let MadeBy { hash, versions, recorded, machine } = made_by;
    Recording {
        scenario: scenario.name.clone(),
        recorded,
        source_hash: hash,
        versions,
        machine,
        unit: scenario.statement.unit.clone(),
        units_name: scenario.statement.units_name(),
        rate: scenario.statement.rate,
        gauge: gauge.to_owned(),
        sides,
    }
}
