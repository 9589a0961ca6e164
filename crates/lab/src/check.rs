//! Runs a side of an exercise beside its `solution`, and says whether it does what that one states: with N and with 4N units of work, and then
//! told to end. Judging is [`evidence::contract`]'s part; this starts, follows and ends the programs.

mod attempt;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, ensure};
use evidence::{
    contract::{Fault, is_certain, judge},
    exercise::{Exercise, SOLUTION},
    made_by,
    series::{Run, Sample},
};
use serde::{Deserialize, Serialize};
use stage::wire::SpawnSite;

use crate::cargo::{self, DidNotCompile};
use attempt::{Attempt, Ended};

/// A side is run so many times where the machine was too busy to tell.
pub const TRIES: u32 = 3;
/// Sides of one exercise that run at the same time, beside one solution.
const AT_ONCE: usize = 3;

/// What happens during a check.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Cargo is at work.
    Build {
        /// What is being compiled, or waited for.
        text: String,
        /// Units done.
        done: u32,
        /// Units in all; 0 while nothing is counted.
        total: u32,
    },
    /// The machine was too busy for a verdict: all runs anew. What was drawn is void.
    Again {
        /// Which try this is, from 2.
        attempt: u32,
    },
    /// A program has started.
    Started {
        /// Which.
        side: String,
    },
    /// A side was looked at.
    Sample {
        /// Which.
        side: String,
        /// Its gauges.
        sample: Sample,
    },
    /// The last event of a check.
    Verdict(Verdict),
    /// The last event of a check that could not be made.
    Error {
        /// Why, and what to do.
        message: String,
    },
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It does what its exercise's solution states.
    Passed,
    /// It does not.
    Failed,
    /// The machine was too busy to tell, [`TRIES`] times.
    TooBusy,
}

/// The verdict on one side.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The exercise's name.
    pub exercise: String,
    /// Which side.
    pub side: String,
    /// In a word.
    pub outcome: Outcome,
    /// Each way in which it is not what it should be; where the machine was too busy, what was seen and may mean nothing.
    pub faults: Vec<Fault>,
    /// Where the tasks that are left were spawned, most first; the world's own left out.
    pub spawned_at: Vec<SpawnSite>,
    /// What is left, per unit of work, of the gauge that tells the leak.
    pub per_unit: f64,
    /// The compiler's words where it did not compile; else the first lines of the program's error output.
    pub said: Vec<String>,
    /// Its run and that of `solution`, as far as they came; for drawings.
    #[serde(skip)]
    pub runs: BTreeMap<String, Run>,
}

/// What was seen of one side.
#[derive(Clone, Debug)]
pub struct Seen {
    /// In a word.
    pub outcome: Outcome,
    /// Each way in which it is not what it should be.
    pub faults: Vec<Fault>,
    /// Its run; none where it ended before its report.
    pub run: Option<Run>,
    /// The first lines of its error output.
    pub said: Vec<String>,
}

/// Who wants to know.
pub type Tell<'a> = &'a (dyn Fn(Event) + Sync);

/// Builds `side` and `solution`, runs them beside each other, ends them, and judges. Tells the verdict as the last event. Dropping the future
/// ends whatever runs.
///
/// # Errors
/// When the surroundings are wrong: no such side, files that changed meanwhile, a solution that does not do its work. A side that
/// does not compile, run or end is a verdict.
pub async fn check(root: &Path, exercise: &Exercise, side: &str, on: Tell<'_>) -> anyhow::Result<Verdict> {
    let sides = [side.to_owned()];
    exercise.scenario.check_sides(&sides)?;
    let before = hash(root, exercise, side)?;
    let (seen, runs) = match all(root, exercise, &sides, on).await {
        Ok((mut seen, runs)) => (seen.remove(side).context("the side was not run")?, runs),
        Err(error) => (did_not_compile(exercise, side, &error.downcast()?), BTreeMap::new()),
    };
    let is_same = hash(root, exercise, side).is_ok_and(|now| now == before);
    let name = exercise.name();
    ensure!(is_same, "exercises/{name} changed while it was checked: run `{}` again", command(name, side));
    let verdict = Verdict {
        exercise: name.to_owned(),
        side: side.to_owned(),
        outcome: seen.outcome,
        faults: seen.faults,
        spawned_at: seen.run.as_ref().map_or_else(Vec::new, spawned_at),
        per_unit: seen.run.as_ref().map_or(0.0, |run| left(run, exercise.gauge())),
        said: seen.said,
        runs,
    };
    on(Event::Verdict(verdict.clone()));
    Ok(verdict)
}

/// The command that checks a side.
pub fn command(name: &str, side: &str) -> String {
    let side = if side == evidence::exercise::MINE { String::new() } else { format!(" --side {side}") };
    format!("cargo lab check {name}{side}")
}

/// Builds and runs sides, a few at a time with `solution` beside them, and says what was seen of each.
///
/// # Errors
/// When one does not compile, or the surroundings are wrong.
pub async fn run_all(
    root: &Path,
    exercise: &Exercise,
    sides: &[String],
    on: Tell<'_>,
) -> anyhow::Result<BTreeMap<String, Seen>> {
    exercise.scenario.check_sides(sides)?;
    Ok(all(root, exercise, sides, on).await?.0)
}

/// What was seen of the sides, and every run.
async fn all(
    root: &Path,
    exercise: &Exercise,
    sides: &[String],
    on: Tell<'_>,
) -> anyhow::Result<(BTreeMap<String, Seen>, BTreeMap<String, Run>)> {
    let names: BTreeSet<_> = sides.iter().map(String::as_str).chain([SOLUTION]).collect();
    let bins: Vec<_> = names.iter().map(|side| exercise.scenario.bin(side)).collect();
    let build = cargo::build(root, &bins, |step| {
        on(Event::Build { text: step.text, done: step.done, total: step.total });
    });
    let attempt = Attempt { exercise, executables: &build.await?, on };
    let (mut seen, mut runs) = (BTreeMap::new(), BTreeMap::new());
    for batch in sides.chunks(AT_ONCE) {
        until_told(&attempt, batch, &mut seen, &mut runs).await?;
    }
    Ok((seen, runs))
}

/// Runs these sides, and those again of which the machine was too busy to tell.
async fn until_told(
    attempt: &Attempt<'_>,
    sides: &[String],
    seen: &mut BTreeMap<String, Seen>,
    runs: &mut BTreeMap<String, Run>,
) -> anyhow::Result<()> {
    let mut left: Vec<_> = sides.iter().map(String::as_str).collect();
    for number in 1..=TRIES {
        if number > 1 {
            (attempt.on)(Event::Again { attempt: number });
        }
        let ended = attempt.run(&left).await?;
        let solution = ended.get(SOLUTION);
        for &side in &left {
            let one = ended.get(side).context("a side was not run")?;
            seen.insert(side.to_owned(), judged(attempt.exercise, one, solution));
        }
        runs.extend(ended.into_iter().filter_map(|(side, ended)| Some((side, ended.run?))));
        left.retain(|side| seen.get(*side).is_some_and(|seen| seen.outcome == Outcome::TooBusy));
        if left.is_empty() {
            break;
        }
    }
    Ok(())
}

fn judged(exercise: &Exercise, one: &Ended, solution: Option<&Ended>) -> Seen {
    let mut faults = one.faults.clone();
    let beside = solution.and_then(|solution| solution.run.as_ref());
    // Who left a process behind, said nothing that could be late, or did nothing for so long while another did all its work.
    let mut in_doubt = faults.is_empty() && !(one.stalled && beside.is_some());
    if let Some(run) = &one.run {
        // Where the solution itself did not come to its report, a side can be held against itself only, and not be believed.
        faults.extend(judge(exercise, run, beside.unwrap_or(run)));
        // What is certain stands first.
        faults.sort_by_key(|fault| !is_certain(exercise, run, fault));
        in_doubt &= !faults.iter().any(|fault| is_certain(exercise, run, fault));
        in_doubt &=
            beside.is_none_or(|beside| is_late(run) || is_late(beside) || !judge(exercise, beside, beside).is_empty());
    }
    let outcome = match faults.is_empty() {
        true if beside.is_some() => Outcome::Passed,
        false if !in_doubt => Outcome::Failed,
        _ => Outcome::TooBusy,
    };
    Seen { outcome, faults, run: one.run.clone(), said: one.said.clone() }
}

fn is_late(run: &Run) -> bool {
    run.report.lateness.forbids_verdict(true)
}

fn did_not_compile(exercise: &Exercise, side: &str, not: &DidNotCompile) -> Seen {
    let more = match not.errors.len() {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let sentence = format!("{} did not compile: {}{more}", exercise.scenario.bin(side), not.first());
    let said = not.text.lines().map(str::to_owned).collect();
    Seen { outcome: Outcome::Failed, faults: vec![Fault::new("build", sentence)], run: None, said }
}

/// What a side is compiled from, and what it is held against.
fn hash(root: &Path, exercise: &Exercise, side: &str) -> anyhow::Result<String> {
    let files = [side, SOLUTION, "world"].map(|name| format!("exercises/{}/{name}.rs", exercise.name()));
    made_by::hash(root, &files.into_iter().chain([format!("exercises/{}/Cargo.toml", exercise.name())]).collect())
}

fn spawned_at(run: &Run) -> Vec<SpawnSite> {
    run.report.spawned_at.iter().filter(|site| !site.location.contains("/world.rs:")).cloned().collect()
}

fn left(run: &Run, gauge: &str) -> f64 {
    run.report.survivors.get(gauge).copied().unwrap_or(0.0)
}
