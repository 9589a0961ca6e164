//! Makes a recording: runs every side of a scenario, and keeps what was seen.

use std::{collections::BTreeMap, path::Path};

use anyhow::bail;
use evidence::{
    catalogue::Scenario,
    exhibit::{Exhibits, Kind},
    made_by::MadeBy,
    series::{Recording, Run},
    verdict,
};

use crate::{
    pair::{self, Event},
    today,
};

/// Sides beyond leak and fix run this many at a time.
const AT_ONCE: usize = 2;

/// Runs every side of a scenario and returns the record.
///
/// # Errors
/// When a run fails, or does not do what its side states: such a run must not become the book's evidence.
pub async fn make(root: &Path, scenario: &Scenario, on: &(dyn Fn(Event) + Sync)) -> anyhow::Result<Recording> {
    let made_by = today::made_by(Exhibits::of(scenario).ingredients(Kind::Runs).now(root)?)?;
    let mut sides = BTreeMap::<String, Run>::new();
    for some in scenario.side_names().chunks(AT_ONCE) {
        sides.extend(pair::run(root, scenario, some, &[], on).await?);
    }
    for (side, run) in &sides {
        let verdict = verdict::judge(run, &scenario.statement);
        if !verdict.as_stated() {
            bail!("not recorded: {} {}", scenario.bin(side), verdict.text());
        }
    }
    let MadeBy { hash, versions, recorded, machine } = made_by;
    Ok(Recording {
        scenario: scenario.name.clone(),
        recorded,
        source_hash: hash,
        versions,
        machine,
        unit: scenario.statement.unit.clone(),
        units_name: scenario.statement.units_name(),
        rate: scenario.statement.rate,
        gauge: scenario.statement.gauge.clone(),
        sides,
    })
}
