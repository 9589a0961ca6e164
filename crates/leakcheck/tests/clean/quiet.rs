//! No clean program is ever blamed: on no kind of runtime, beside no neighbour, on no busy machine.
//!
//! `LEAKCHECK_RUNS=100` is the full measurement; `LEAKCHECK_LOAD=1` keeps both processors busy meanwhile;
//! `LEAKCHECK_ONLY=drip` runs only the programs with that in their name.

use std::{collections::HashSet, env};

use crate::{
    harness::{Load, assert_none, find, in_parallel, noise, repeats},
    programs::{Clean, Flavor, all},
};

/// Every program on every flavor it supports.
fn each_on_each_flavor() -> Vec<(Clean, Flavor)> {
    all().into_iter().flat_map(|program| program.flavors.iter().map(move |flavor| (program, *flavor))).collect()
}

/// The same programs, or only those whose name contains the filter.
fn asked_for() -> Vec<(Clean, Flavor)> {
    let only = env::var("LEAKCHECK_ONLY").unwrap_or_default();
    let asked: Vec<_> = each_on_each_flavor().into_iter().filter(|(program, _)| program.name.contains(&only)).collect();
    assert!(!asked.is_empty(), "no program is called like {only}");
    asked
}

#[test]
fn clean_programs_are_never_blamed() {
    let _load = Load::if_asked();
    let runs = repeats("LEAKCHECK_RUNS", 2);
    let jobs: Vec<_> =
        (0..runs).flat_map(|run| asked_for().into_iter().map(move |(program, on)| (run, program, on))).collect();
    let blamed = in_parallel(&jobs, |(run, program, flavor)| {
        let problem = noise(&find(*flavor, program.allow, program.run))?;
        Some(format!("{} on {flavor:?}, run {run}: {problem}", program.name))
    });
    println!("{} programs, {} runs, {} blamed", all().len(), jobs.len(), blamed.len());
    assert_none(&blamed, jobs.len());
}

/// A program whose daemon was not counted would be quiet for another reason than its declaration.
#[test]
fn a_declared_daemon_is_counted_as_allowed() {
    let daemons: Vec<_> = each_on_each_flavor().into_iter().filter(|(program, _)| is_daemon(program)).collect();
    let uncounted = in_parallel(&daemons, |(program, flavor)| {
        let report = find(*flavor, program.allow, program.run).report;
        report.allowed.is_empty().then(|| format!("{} on {flavor:?}: {report}", program.name))
    });
    assert_none(&uncounted, daemons.len());
}

/// The allowances do the work: without them the same daemons are reported.
#[test]
fn a_daemon_without_its_allowance_is_blamed() {
    let daemons: Vec<_> = each_on_each_flavor().into_iter().filter(|(program, _)| !program.allow.is_empty()).collect();
    let missed = in_parallel(&daemons, |(program, flavor)| {
        let found = find(*flavor, &["another/file.rs", "another-crate"], program.run);
        found.report.is_clean().then(|| format!("{} on {flavor:?}", program.name))
    });
    assert_none(&missed, daemons.len());
}

fn is_daemon(program: &Clean) -> bool {
    program.name.starts_with("allowed_") || program.name.starts_with("declared_")
}

#[test]
fn there_are_enough_programs_and_each_has_a_name_of_its_own() {
    let names: HashSet<_> = all().iter().map(|program| program.name).collect();
    assert_eq!(names.len(), all().len());
    assert!(names.len() >= 70);
}
