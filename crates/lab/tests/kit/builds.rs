//! Kits that are built and run: what is given away is red, what is accepted is green, and the judgement of both is the same.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use book::kit::{self, Files, Ingredients, MAIN, Order, telling};
use lab::{
    check::Outcome,
    kit::{Judged, Workshop, judge, verify, write_files},
};
use stage::wire::{Line, Report};

use crate::{kits, root};

/// Which kits, where it is not said: so many scenarios and so many exercises, those with the shortest loads.
const SAMPLE: usize = 2;
/// What is left of a gauge may differ so much from what was stated.
const SHARE: f64 = 0.05;
/// So often a kit is judged where the machine was too busy to tell, with three tries each.
const ROUNDS: usize = 3;
/// Other nouns and another load: what is built in the workbook itself has neither.
const SEED: u64 = 5;

/// The kits that are asked for.
fn asked() -> Vec<Ingredients> {
    let asked = std::env::var("KITS").unwrap_or_default();
    let names: Vec<_> = asked.split(',').filter(|name| !name.is_empty()).collect();
    let seconds = |of: &Ingredients| of.scenario.statement.units as f64 / of.scenario.statement.rate;
    let mut all = kits();
    all.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
    let (exercises, scenarios): (Vec<_>, Vec<_>) = all.into_iter().partition(|of| of.exercise.is_some());
    match names.as_slice() {
        [] => {
            let exercises = exercises.into_iter().filter(|of| !is_healthy(of)).take(SAMPLE);
            scenarios.into_iter().take(SAMPLE).chain(exercises).collect()
        }
        ["all"] => scenarios.into_iter().chain(exercises).collect(),
        names => {
            scenarios.into_iter().chain(exercises).filter(|of| names.contains(&of.scenario.name.as_str())).collect()
        }
    }
}

/// True unless it is said which kits.
fn is_sample() -> bool {
    std::env::var_os("KITS").is_none_or(|asked| asked.is_empty())
}

fn is_healthy(of: &Ingredients) -> bool {
    of.exercise.as_ref().is_some_and(|exercise| exercise.is_healthy())
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).arg("--no-console").args(arguments).output().unwrap()
}

/// What a run says to a person, and its exit code. The load is the kit's own: of a few units one descriptor too many is a share.
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

/// One kit, built and judged with what is given and with what is accepted.
struct Tried<'a> {
    of: &'a Ingredients,
    order: Order,
    workshop: &'a Workshop,
}

impl Tried<'_> {
    fn judge(&self, side: &str) -> Result<(Files, Judged), String> {
        let files = kit::candidate(self.of, self.order, side).map_err(|error| format!("{error:#}"))?;
        let mut judged = work(judge(self.workshop, self.of, self.order, &files, &|_| {}));
        for _ in 1..ROUNDS {
            if judged.outcome != Outcome::TooBusy {
                break;
            }
            judged = work(judge(self.workshop, self.of, self.order, &files, &|_| {}));
        }
        Ok((files, judged))
    }

    fn build(&self, files: &Files) -> PathBuf {
        work(self.workshop.build(files, "tried", |_| {}))
    }

    /// What is given away is red, for the gauge that tells, and leaves what is stated.
    fn given(&self) -> Result<String, String> {
        let of = self.of;
        let (files, Judged { outcome, faults, .. }) = self.judge(of.given())?;
        let expected = if is_healthy(of) { Outcome::Passed } else { Outcome::Failed };
        if outcome != expected {
            return Err(format!("as it is given it is {outcome:?}: {faults:?}"));
        }
        let gauge =
            of.exercise.as_ref().map_or(of.scenario.statement.gauge.as_str(), |exercise| exercise.gauge()).to_owned();
        let key = of.exercise.as_ref().and_then(|exercise| exercise.facts.fails.get(of.given())).unwrap_or(&gauge);
        let told = format!("{}: ", self.order.nouns(&of.facts).apply(key));
        if !is_healthy(of) && !faults.iter().any(|fault| fault.starts_with(&told)) {
            return Err(format!("nothing is said of {told}{faults:?}"));
        }
        let name = self.order.nouns(&of.facts).apply(&gauge);
        let left = if is_sample() { None } else { report(&self.build(&files)).survivors.get(&name).copied() };
        match (left, stated(of)) {
            (Some(left), Some(expected)) if (left - expected).abs() > SHARE * expected.max(1.0) => {
                Err(format!("{left} {name} left, recorded {expected}"))
            }
            _ if is_healthy(of) => Ok("given passes, as it should".to_owned()),
            _ => Ok(format!("given is red ({})", faults.join("; "))),
        }
    }

    /// What is accepted is green, and says so.
    fn accepted(&self) -> Result<String, String> {
        // A scenario's other fixes have another price, and its goal is that of one.
        let others = if is_sample() || self.of.exercise.is_none() { Vec::new() } else { self.of.accepted() };
        for side in others.into_iter().filter(|side| *side != self.of.goal()) {
            let (_, Judged { outcome, faults, .. }) = self.judge(side)?;
            if outcome != Outcome::Passed {
                return Err(format!("with {side} it is {outcome:?}: {faults:?}"));
            }
        }
        let (files, Judged { outcome, faults, .. }) = self.judge(self.of.goal())?;
        if outcome != Outcome::Passed {
            return Err(format!("with the accepted fix it is {outcome:?}: {faults:?}"));
        }
        let program = self.build(&files);
        // A run by itself has one try, and a descriptor that closes late makes that one red.
        let mut last = said(&program, self.of);
        for _ in 1..ROUNDS {
            if last.0 == Some(0) {
                break;
            }
            last = said(&program, self.of);
        }
        let (code, text) = last;
        match code {
            Some(0) if text.contains("GREEN") => Ok("accepted is green".to_owned()),
            Some(3) => Ok("accepted passes, and the machine was too busy for a run by itself".to_owned()),
            _ => Err(format!("with the accepted fix a run ends with {code:?}: {text}")),
        }
    }
}

#[test]
fn what_is_given_is_red_and_what_is_accepted_is_green() {
    let workshop = work(Workshop::open(&root(), || {}));
    let mut problems = Vec::new();
    for of in asked() {
        let tried = Tried { of: &of, order: Order { minutes: 45, seed: SEED }, workshop: &workshop };
        for said in [tried.given(), tried.accepted()] {
            let name = &of.scenario.name;
            match said {
                Ok(said) => eprintln!("{name}: {said}"),
                Err(problem) => {
                    eprintln!("{name}: NOT SO: {problem}");
                    problems.push(format!("{name}: {problem}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
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
