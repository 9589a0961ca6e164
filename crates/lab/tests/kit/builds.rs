//! Kits that are built and run: what is given away is red, what is accepted is green, and the judgement of both is the same.

use std::{
    path::Path,
    process::{Command, Output},
};

use book::kit::{self, Files, Ingredients, MAIN, Order, telling};
use lab::{
    check::Outcome,
    kit::{Judged, Workshop, judge, verify, write_files},
};
use stage::wire::{Line, Report};

use crate::{kits, root};

/// Which kits, where it is not said: so many scenarios and so many exercises, the first ones that are short.
const SAMPLE: usize = 2;
/// A load of more seconds is not for every day.
const SECONDS_MAX: f64 = 5.0;
/// What is left of a gauge may differ so much from what was stated.
const SHARE: f64 = 0.05;
/// Other nouns and another load: what is built in the workbook itself has neither.
const SEED: u64 = 5;

/// The kits that are asked for.
fn asked() -> Vec<Ingredients> {
    let asked = std::env::var("KITS").unwrap_or_default();
    let names: Vec<_> = asked.split(',').filter(|name| !name.is_empty()).collect();
    let seconds = |of: &Ingredients| of.scenario.statement.units as f64 / of.scenario.statement.rate;
    let (exercises, scenarios): (Vec<_>, Vec<_>) = kits().into_iter().partition(|of| of.exercise.is_some());
    match names.as_slice() {
        [] => {
            let short = scenarios.into_iter().filter(|of| seconds(of) <= SECONDS_MAX).take(SAMPLE);
            short.chain(exercises.into_iter().filter(|of| !is_healthy(of)).take(SAMPLE)).collect()
        }
        ["all"] => scenarios.into_iter().chain(exercises).collect(),
        names => {
            scenarios.into_iter().chain(exercises).filter(|of| names.contains(&of.scenario.name.as_str())).collect()
        }
    }
}

fn is_healthy(of: &Ingredients) -> bool {
    of.exercise.as_ref().is_some_and(|exercise| exercise.is_healthy())
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).arg("--no-console").args(arguments).output().unwrap()
}

/// What a run says to a person, and its exit code.
fn said(program: &Path, of: &Ingredients) -> (Option<i32>, String) {
    let output = run(program, &[]);
    let help = Command::new(program).arg("--help").output().unwrap();
    let all = [&output.stdout, &output.stderr, &help.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let found = telling::words(&all.concat(), &of.names);
    assert!(found.is_empty(), "{}: its program says {found:?}", of.scenario.name);
    (output.status.code(), all[0].clone())
}

fn report(program: &Path) -> Report {
    let output = run(program, &["--json"]);
    let lines = String::from_utf8_lossy(&output.stdout);
    let report = lines.lines().find_map(|line| match serde_json::from_str(line) {
        Ok(Line::Report(report)) => Some(report),
        _ => None,
    });
    report.unwrap_or_else(|| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)))
}

fn work<T>(work: impl Future<Output = anyhow::Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work).unwrap_or_else(|error| panic!("{error:#}"))
}

/// What the workbook states that the side which is given away leaves; of an exercise nothing is stated, and its run is recorded.
fn stated(of: &Ingredients) -> Option<f64> {
    let statement = &of.scenario.statement;
    match &of.exercise {
        None => Some(statement.survivors[of.given()][&statement.gauge].per_unit()),
        Some(exercise) => {
            let run = of.recording.as_ref().ok()?.sides.get(of.given())?;
            run.report.survivors.get(exercise.gauge()).copied()
        }
    }
}

#[test]
fn what_is_given_is_red_and_what_is_accepted_is_green() {
    let workshop = work(Workshop::open(&root(), || {}));
    for of in asked() {
        let (name, order) = (&of.scenario.name, Order { minutes: 45, seed: SEED });
        let files = |side: &str| kit::candidate(&of, order, side).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let built = |files: &Files| work(workshop.build(files, "tried", |_| {}));

        let given = files(of.given());
        let Judged { outcome, faults, .. } = work(judge(&workshop, &of, order, &given, &|_| {}));
        let expected = if is_healthy(&of) { Outcome::Passed } else { Outcome::Failed };
        assert_eq!(outcome, expected, "{name}, as it is given: {faults:?}");
        let program = built(&given);
        let (report, expected) = (report(&program), stated(&of));
        let gauge = of.exercise.as_ref().map_or(of.scenario.statement.gauge.as_str(), |exercise| exercise.gauge());
        let left = report.survivors[&order.nouns(&of.facts).apply(gauge)];
        if let Some(expected) = expected {
            assert!(
                (left - expected).abs() <= SHARE * expected.max(1.0),
                "{name}: {left} {gauge} left, recorded {expected}"
            );
        }

        let accepted = files(of.goal());
        let Judged { outcome, faults, .. } = work(judge(&workshop, &of, order, &accepted, &|_| {}));
        assert_eq!(outcome, Outcome::Passed, "{name}, with the accepted fix: {faults:?}");
        let (code, text) = said(&built(&accepted), &of);
        assert!(code == Some(0) && text.contains("GREEN"), "{name}: {code:?} {text}");
        eprintln!("{name}: given {left:.2} {gauge} per unit and red, accepted green");
    }
}

#[test]
fn a_candidate_who_changes_the_world_is_judged_with_the_kits_own() {
    let of = kits().into_iter().find(|of| of.exercise.is_some()).expect("there is an exercise with a kit");
    let (order, name) = (Order { minutes: 45, seed: SEED }, &of.scenario.name);
    let folder = tempfile::tempdir().unwrap();
    let mut files = kit::candidate(&of, order, of.given()).unwrap();
    let accepted = kit::candidate(&of, order, of.goal()).unwrap();
    files.insert(MAIN.to_owned(), accepted[MAIN].clone());
    files.insert("src/world.rs".to_owned(), "compile_error!(\"nobody compiles this\");\n".to_owned());
    write_files(folder.path(), &files).unwrap();
    let judged = work(verify(&root(), name, folder.path(), &|_| {}));
    assert_eq!(judged.outcome, Outcome::Passed, "{:?}", judged.faults);
    assert_eq!(judged.changed, ["src/world.rs was changed"]);

    files.insert(MAIN.to_owned(), "fn main() -> u8 { 1 }\n".to_owned());
    write_files(folder.path(), &files).unwrap();
    let judged = work(verify(&root(), name, folder.path(), &|_| {}));
    assert_eq!(judged.outcome, Outcome::Failed);
    assert!(judged.faults[0].starts_with("error"), "{:?}", judged.faults);
}
