//! Makes recordings: runs every side of a scenario, and writes what was seen to where the book reads it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, bail};

use crate::{
    catalogue::Scenario,
    chart,
    pair::{self, Event},
    recording::{locked_versions, path, source_hash},
    series::{Recording, Run},
    verdict,
};

/// Sides beyond leak and fix run this many at a time.
const AT_ONCE: usize = 2;

/// Runs every side of a scenario and returns the record.
///
/// # Errors
/// When a run fails, or does not do what its side states: such a run must not become the book's evidence.
pub async fn make(root: &Path, scenario: &Scenario, on: &(dyn Fn(Event) + Sync)) -> anyhow::Result<Recording> {
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
    let mut versions = locked_versions(root)?;
    let rustc = tool(&["rustc", "--version"])?;
    versions.insert("rustc".into(), rustc.split_whitespace().nth(1).unwrap_or("unknown").to_owned());
    Ok(Recording {
        scenario: scenario.name.clone(),
        recorded: tool(&["date", "+%Y-%m-%d"])?,
        source_hash: source_hash(&scenario.dir)?,
        versions,
        machine: format!(
            "{} {}, {} cores",
            std::env::consts::OS,
            std::env::consts::ARCH,
            std::thread::available_parallelism().map_or(1, usize::from)
        ),
        unit: scenario.statement.unit.clone(),
        units_name: scenario.statement.units_name(),
        rate: scenario.statement.rate,
        gauge: scenario.statement.gauge.clone(),
        sides,
    })
}

/// Writes a record, and its chart as a picture beside it; a reader never sees half of either.
///
/// # Errors
/// When the folder cannot be written.
pub fn save(root: &Path, recording: &Recording) -> anyhow::Result<()> {
    let path = path(root, &recording.scenario);
    write_whole(&path.with_extension("svg"), &chart::divergence(recording)?)?;
    write_whole(&path, &(serde_json::to_string(recording)? + "\n"))
}

fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_extension("part");
    let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn tool(command: &[&str]) -> anyhow::Result<String> {
    let output = std::process::Command::new(command[0]).args(&command[1..]).output();
    let output = output.with_context(|| format!("cannot run {}", command[0]))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
