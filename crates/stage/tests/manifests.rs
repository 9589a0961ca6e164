//! What the scenarios state of their gauges, held against what their recorded runs report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use stage::{
    Statement,
    gauge::{Kind, Unit},
};

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    lab: Statement,
}

#[derive(Deserialize)]
struct Recording {
    sides: BTreeMap<String, Run>,
}

#[derive(Deserialize)]
struct Run {
    series: Series,
}

#[derive(Deserialize)]
struct Series {
    gauges: BTreeMap<String, Vec<u64>>,
}

/// Every scenario that was recorded: its name, its statement, and the gauges of each side.
fn scenarios() -> Vec<(String, Statement, BTreeMap<String, Run>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifests = fs::read_dir(root.join("scenarios")).unwrap().flatten().map(|dir| dir.path().join("Cargo.toml"));
    let read = |path: PathBuf| {
        let package = toml::from_str::<Manifest>(&fs::read_to_string(&path).unwrap());
        let Package { name, metadata } = package.unwrap_or_else(|error| panic!("{}: {error}", path.display())).package;
        let recorded = fs::read_to_string(root.join(format!("book/recordings/{name}.json"))).ok()?;
        let Recording { sides } = serde_json::from_str(&recorded).unwrap();
        Some((name, metadata.lab, sides))
    };
    let all: Vec<_> = manifests.filter(|path| path.exists()).filter_map(read).collect();
    assert!(all.len() > 10, "the recordings are somewhere else");
    all
}

fn none<'a>(problems: impl IntoIterator<Item = String> + 'a) {
    let problems: Vec<_> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_gauge_that_a_manifest_names_is_reported() {
    none(scenarios().iter().flat_map(|(name, statement, sides)| {
        let reported: BTreeSet<_> =
            sides.values().flat_map(|run| run.series.gauges.keys().map(String::as_str)).collect();
        let missing = statement.gauge_names().into_iter().filter(|gauge| !reported.contains(gauge)).map(str::to_owned);
        missing.map(|gauge| format!("{name}: no side reports `{gauge}`")).collect::<Vec<_>>()
    }));
}

#[test]
fn what_counts_up_never_falls() {
    none(scenarios().iter().flat_map(|(name, statement, sides)| {
        let falls = |values: &[u64]| values.windows(2).any(|pair| pair[1] < pair[0]);
        let all = sides
            .iter()
            .flat_map(|(side, run)| run.series.gauges.iter().map(move |(gauge, values)| (side, gauge, values)));
        let wrong = all.filter(|(_, gauge, values)| statement.gauge(gauge).kind != Kind::Level && falls(values));
        wrong
            .map(|(side, gauge, _)| format!("{name}-{side}: `{gauge}` falls, and is stated to count up"))
            .collect::<Vec<_>>()
    }));
}

#[test]
fn milliseconds_are_named_so_and_stated_so() {
    none(scenarios().iter().flat_map(|(name, statement, sides)| {
        let all: BTreeSet<_> = sides.values().flat_map(|run| run.series.gauges.keys()).collect();
        let wrong = all
            .into_iter()
            .filter(|gauge| gauge.ends_with("_ms") != (statement.gauge(gauge).unit == Unit::Milliseconds));
        wrong.map(|gauge| format!("{name}: the unit of `{gauge}` is not its name's")).collect::<Vec<_>>()
    }));
}
