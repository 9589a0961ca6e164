//! Recorded runs on disk: `book/recordings/<name>.json`. A record knows the sources and versions it was made with. Reads and checks;
//! `cargo lab record` makes them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    catalogue::Scenario,
    exhibit::{Exhibits, Kind, recording_file, renew},
    made_by::{MadeBy, check_day},
    series::{Closing, ConsoleView, Recording, Report, Run, Series},
};

/// No number of a run is greater: the page's script could not tell such a one from its neighbour, and nobody measured it.
const NUMBER_MAX: u64 = 1 << 40;
/// What is left per unit was divided once, so it may differ from its quotient by a rounding.
const ROUNDING: f64 = 1e-6;

/// Where the record of `name` is.
pub fn path(root: &Path, name: &str) -> PathBuf {
    root.join(recording_file(name))
}

/// Reads the record of `name`, and checks that its numbers can be those of a run.
///
/// # Errors
/// When it is missing, half written, or says what no run can have said: one line, with the file and the command that makes it.
pub fn load(root: &Path, name: &str) -> anyhow::Result<Recording> {
    let text = match fs::read(path(root, name)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{} is missing: {}", recording_file(name), renew(name))
        }
        Err(error) => bail!("{} cannot be read: {error}: {}", recording_file(name), renew(name)),
    };
    parse(&text, name).map_err(|error| {
        // What the parser quotes may have line ends; a problem is one line.
        let why: String = format!("{error:#}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        anyhow::anyhow!("{} is damaged: {why}: {}", recording_file(name), renew(name))
    })
}

/// Checks that the record of a scenario, or of an exercise, is current, and has exactly its sides.
///
/// # Errors
/// Says what changed and which command renews the record.
pub fn check_fresh(root: &Path, scenario: &Scenario) -> anyhow::Result<()> {
    check_current(root, scenario, &load(root, &scenario.name)?)
}

/// Checks that a record was made with the sides, sources and versions of today.
///
/// # Errors
/// Says what changed and which command renews the record.
pub fn check_current(root: &Path, scenario: &Scenario, recording: &Recording) -> anyhow::Result<()> {
    let name = &scenario.name;
    let mut sides = scenario.recorded_sides();
    sides.sort();
    let recorded: Vec<_> = recording.sides.keys().cloned().collect();
    ensure!(recorded == sides, "{} has other sides than the scenario: {}", recording_file(name), renew(name));
    let now = Exhibits::of(scenario).ingredients(Kind::Runs).now(root)?;
    made_by(recording).check(&now).map_err(|why| anyhow::anyhow!("{} {why}: {}", recording_file(name), renew(name)))
}

/// What made a record.
pub fn made_by(recording: &Recording) -> MadeBy {
    let Recording { source_hash, versions, recorded, machine, .. } = recording.clone();
    MadeBy { hash: source_hash, versions, recorded, machine }
}

fn parse(text: &[u8], name: &str) -> anyhow::Result<Recording> {
    let text = std::str::from_utf8(text).context("it is no text")?;
    let recording: Recording = serde_json::from_str(text)?;
    // What the record says and nobody reads is a misspelling, or from another version of the lab.
    if let Some(unknown) = unknown(&serde_json::from_str(text)?, &serde_json::to_value(&recording)?) {
        bail!("unknown field `{}`", unknown.escape_debug());
    }
    ensure!(recording.scenario == name, "it is of `{}`", recording.scenario.escape_debug());
    examine(&recording)?;
    Ok(recording)
}

/// The first field that stands in `said` and not in `known`.
fn unknown(said: &Value, known: &Value) -> Option<String> {
    match (said, known) {
        (Value::Object(said), Value::Object(known)) => said.iter().find_map(|(key, value)| match known.get(key) {
            Some(known) => unknown(value, known).map(|inside| format!("{key}.{inside}")),
            None => Some(key.clone()),
        }),
        (Value::Array(said), Value::Array(known)) => {
            said.iter().zip(known).find_map(|(value, known)| unknown(value, known))
        }
        _ => None,
    }
}

/// Holds the numbers of a record against each other.
fn examine(recording: &Recording) -> anyhow::Result<()> {
    check_day(&recording.recorded)?;
    ensure!(recording.rate.is_finite() && recording.rate > 0.0, "a rate of {} offers nothing", recording.rate);
    for words in [&recording.unit, &recording.units_name, &recording.gauge, &recording.machine] {
        ensure!(!words.trim().is_empty() && !words.contains(char::is_control), "a name in it is empty or no text");
    }
    ensure!(!recording.sides.is_empty(), "it has no side");
    for (side, run) in &recording.sides {
        examine_run(run, &recording.gauge).with_context(|| format!("side `{}`", side.escape_debug()))?;
    }
    Ok(())
}

fn examine_run(run: &Run, headline: &str) -> anyhow::Result<()> {
    examine_series(&run.series)?;
    examine_report(&run.report)?;
    examine_console(&run.console)?;
    if let Some(Closing { took_ms, unfinished, repeated, median_us, .. }) = &run.closing {
        let numbers = [*took_ms, *unfinished, *repeated, median_us.unwrap_or(0)];
        examine_numbers(&numbers).context("how its service ended")?;
    }
    let (seen, done) = (run.series.units_done.last(), run.report.units_done);
    ensure!(seen.is_some_and(|seen| *seen <= done), "its samples have done more units than its report");
    let there = run.series.gauges.contains_key(headline) && run.report.after.contains_key(headline);
    ensure!(there, "the gauge `{}` is not in it", headline.escape_debug());
    Ok(())
}

/// Columns of one length, and a time that runs forwards.
fn examine_series(series: &Series) -> anyhow::Result<()> {
    let columns = series.gauges.iter().map(|(name, column)| (name.as_str(), column));
    let own = [("units_done", &series.units_done), ("console_tasks", &series.console_tasks)];
    let same = |len: usize| len == series.len();
    ensure!(!series.is_empty(), "it has no sample");
    ensure!(same(series.phase.len()), "the column `phase` has {} values, not {}", series.phase.len(), series.len());
    for (name, column) in columns.chain(own) {
        let name = name.escape_debug();
        ensure!(same(column.len()), "the column `{name}` has {} values, not {}", column.len(), series.len());
        examine_numbers(column).with_context(|| format!("the column `{name}`"))?;
    }
    examine_numbers(&series.elapsed_ms).context("the column `elapsed_ms`")?;
    ensure!(series.elapsed_ms.is_sorted(), "its time runs backwards");
    ensure!(series.units_done.is_sorted(), "it undoes units of work");
    Ok(())
}

fn examine_report(report: &Report) -> anyhow::Result<()> {
    ensure!(report.units_done > 0, "no unit of work was done");
    let gauges = report.before.values().chain(report.after.values());
    let numbers = gauges.copied().chain(report.spawned_at.iter().map(|site| site.alive));
    examine_numbers(&numbers.chain([report.elapsed_ms, report.units_done]).collect::<Vec<_>>())?;
    let of = |gauges: &BTreeMap<String, u64>, name: &str| gauges.get(name).copied().unwrap_or(0) as f64;
    for (name, left) in &report.survivors {
        let rise = of(&report.after, name) - of(&report.before, name);
        let expected = rise / report.units_done as f64;
        let fits = (left - expected).abs() <= ROUNDING * expected.abs().max(1.0);
        ensure!(fits, "{left} left per unit of `{}` does not follow from before and after", name.escape_debug());
    }
    let stated = report.stated.values().all(|stated| stated.per_unit().is_finite() && stated.per_unit() >= 0.0);
    ensure!(stated, "it states what nobody can leave");
    Ok(())
}

fn examine_console(console: &ConsoleView) -> anyhow::Result<()> {
    let polls = console.groups.iter().flat_map(|group| [group.count, group.polls.0, group.polls.1]);
    examine_numbers(&polls.chain([console.tasks, console.dropped_events]).collect::<Vec<_>>())?;
    ensure!(
        console.groups.iter().all(|group| group.polls.0 <= group.polls.1),
        "its fewest polls are more than its most"
    );
    let tasks: u64 = console.groups.iter().filter(|group| group.kind == "task").map(|group| group.count).sum();
    ensure!(tasks == console.tasks, "the console's groups have {tasks} tasks, and all have {}", console.tasks);
    Ok(())
}

fn examine_numbers(numbers: &[u64]) -> anyhow::Result<()> {
    match numbers.iter().find(|number| **number > NUMBER_MAX) {
        Some(number) => bail!("{number} is no number of a run"),
        None => Ok(()),
    }
}
