//! Prepares a machine for a class: fetches and builds what the plans of *Teach with this workbook* need, then proves that all of it works
//! without a network, and says how long a run takes here.

use std::{
    ffi::OsStr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use book::trainer;
use evidence::{
    catalogue::{Catalogue, Scenario},
    exercise::{MINE, START},
};

use crate::{cargo, pair};

/// Cargo asks nobody: what is not here is an error.
const OFFLINE: Option<(&str, &str)> = Some(("CARGO_NET_OFFLINE", "true"));

/// What the plans need.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Binaries of scenarios and exercises.
    pub bins: Vec<String>,
    /// Binaries whose tests a reader runs: guards.
    pub tests: Vec<String>,
}

/// Prepares and proves, one line a step through `say`.
///
/// # Errors
/// Names the first step that failed, and what to do.
pub async fn prepare(root: &Path, say: &(dyn Fn(String) + Sync)) -> anyhow::Result<()> {
    let catalogue = Catalogue::read(root)?;
    let needed = needed(&catalogue, root)?;
    let took = timed(step(root, &["fetch", "--locked"], None))
        .await
        .context("not every crate could be fetched: are you online?")?;
    say(format!("  fetch    every crate is here ({})", seconds(took)));
    let took = timed(build(root, &needed, None)).await?;
    say(format!("  build    {} programs and {} guards ({})", needed.bins.len(), needed.tests.len(), seconds(took)));
    let took = timed(build(root, &needed, OFFLINE)).await.context("what was built online cannot be built offline")?;
    say(format!("  offline  the same again without a network: nothing is missing ({})", seconds(took)));
    let scenario = first_pair(&catalogue, root)?;
    let took = timed(run(root, scenario)).await?;
    say(format!("  run      {}: leak and fix together take {} on this machine", scenario.name, seconds(took)));
    Ok(())
}

/// All sides of the planned scenarios, and of the planned exercises what a reader touches.
///
/// # Errors
/// When a plan names what does not exist.
pub fn needed(catalogue: &Catalogue, root: &Path) -> anyhow::Result<Needed> {
    let mut needed = Needed::default();
    for page in trainer::planned(root)? {
        if let Ok(exercise) = catalogue.find_exercise(&page) {
            let one = &exercise.scenario;
            needed.bins.extend([START, MINE].into_iter().chain(exercise.solutions()).map(|side| one.bin(side)));
            needed.tests.extend([START, MINE].map(|side| one.bin(side)));
        } else if let Ok(scenario) = catalogue.find(&page) {
            needed.bins.extend(scenario.sides.iter().map(|side| scenario.bin(&side.name)));
        } else {
            ensure!(
                root.join(format!("book/src/{page}.md")).is_file(),
                "book/plans.toml names `{page}`, which is no page"
            );
        }
    }
    Ok(needed)
}

/// The first scenario that a plan uses.
fn first_pair<'a>(catalogue: &'a Catalogue, root: &Path) -> anyhow::Result<&'a Scenario> {
    let planned = trainer::planned(root)?;
    catalogue.scenarios.iter().find(|one| planned.contains(&one.name)).context("no plan has a scenario in it")
}

async fn build(root: &Path, needed: &Needed, variable: Option<(&str, &str)>) -> anyhow::Result<()> {
    let args = |first: &[&'static str], names: &[String]| -> Vec<String> {
        let names = names.iter().flat_map(|name| ["--bin".to_owned(), name.clone()]);
        first.iter().map(|&word| word.to_owned()).chain(names).collect()
    };
    let built = args(&["build", "--locked", "--quiet"], &needed.bins);
    step(root, &built.iter().map(String::as_str).collect::<Vec<_>>(), variable).await?;
    if needed.tests.is_empty() {
        return Ok(());
    }
    let tested = args(&["test", "--no-run", "--locked", "--quiet"], &needed.tests);
    step(root, &tested.iter().map(String::as_str).collect::<Vec<_>>(), variable).await
}

async fn run(root: &Path, scenario: &Scenario) -> anyhow::Result<()> {
    let sides = ["leak", "fix"].map(str::to_owned);
    let runs = pair::run_to_verdict(root, scenario, &sides, &[], &|_| {}).await?;
    match pair::judged(scenario, &runs) {
        pair::Event::Verdict { ok: true, .. } => Ok(()),
        pair::Event::Verdict { text, .. } => bail!("{}: {text}", scenario.name),
        _ => bail!("{} ended without a verdict", scenario.name),
    }
}

/// Runs cargo to its end.
async fn step(root: &Path, args: &[&str], variable: Option<(&str, &str)>) -> anyhow::Result<()> {
    let variable = variable.map(|(name, value)| (name, OsStr::new(value)));
    cargo::output(root, args, variable).await.map(drop)
}

async fn timed(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Duration> {
    let since = Instant::now();
    work.await.map(|()| since.elapsed())
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64().round().max(1.0))
}
