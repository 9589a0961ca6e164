//! Proves every side of every scenario: a leak leaks as it states, a fix comes back, a wrong turn still leaks, and both
//! witnesses agree; and four times the work leaves four times as much, or nothing. The tests are found by listing the folder;
//! `cargo test --test pairs unclosed-pipe` runs some of them. The lab itself runs under `leakcheck` here.

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use lab::{
    cargo,
    catalogue::{Catalogue, Scenario},
    pair, root,
    series::Run,
    verdict,
};
use leakcheck::{Checker, Trend};
use libtest_mimic::{Arguments, Failed, Trial};

/// Most of a run is waiting: twice as many at once as there are cores still leave each side time to work.
const RUNS_AT_ONCE: usize = 4;
/// The short run does this share of the work of the long one.
const SHORT: u64 = 4;
/// A whole build may come first.
const DEADLINE: Duration = Duration::from_secs(1_800);
/// How far the trend may be from what a side states, per unit of work.
const TREND_SHARE: f64 = 0.05;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(RUNS_AT_ONCE);
    let root: Arc<Path> = root::find().expect("the tests run inside the workbook").into();
    let scenarios =
        Catalogue::read(&root).and_then(|all| all.whole().map(<[_]>::to_vec)).expect("the workbook can be read");
    let built = Arc::new(OnceLock::new());
    let bins: Arc<[String]> =
        scenarios.iter().flat_map(|one| one.sides.iter().map(|side| one.bin(&side.name))).collect::<Vec<_>>().into();
    let trials = scenarios.into_iter().flat_map(|scenario| {
        let (root, built, bins) = (root.clone(), built.clone(), bins.clone());
        scenario.side_names().into_iter().map(move |side| {
            let (scenario, root, built, bins) = (scenario.clone(), root.clone(), built.clone(), bins.clone());
            Trial::test(format!("{}::{side}", scenario.name), move || {
                // One build for all, by whichever test comes first.
                let here = root.clone();
                let build = || checked(move || async move { cargo::build(&here, &bins, |_| {}).await.map(drop) });
                built.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone()?;
                prove(root, scenario, side)
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs one side with the load it states and with less, and holds verdict and trend against what it states.
fn prove(root: Arc<Path>, scenario: Scenario, side: String) -> Result<(), Failed> {
    let gauge = scenario.statement.gauge.clone();
    let (stated, unit) = (scenario.statement.survivors[&side][&gauge].per_unit(), scenario.statement.unit.clone());
    let less = ["--units".to_owned(), (scenario.statement.units / SHORT).max(1).to_string()];
    let runs = checked(move || async move {
        let sides = std::slice::from_ref(&side);
        let few = pair::run(&root, &scenario, sides, &less, &|_| {}).await?;
        let many = pair::run(&root, &scenario, sides, &[], &|_| {}).await?;
        anyhow::Ok((few[&side].clone(), many[&side].clone()))
    });
    let (few, many) = runs.map_err(|error| format!("{error:#}"))?;
    let verdict = verdict::judge(&many, &gauge);
    let expected = if stated > 0.0 { verdict::Outcome::Leaks } else { verdict::Outcome::Converges };
    if verdict.outcome != expected {
        return Err(verdict.text(&unit).into());
    }
    let trend = Trend::through(left(&few, &gauge), left(&many, &gauge));
    let off = (trend.per_operation - stated).abs() > TREND_SHARE * stated.max(1.0);
    let said = format!("{:.2} {gauge} more for every {unit} more, stated {stated:.2}", trend.per_operation);
    if off || trend.is_leak() != (stated > 0.0) { Err(said.into()) } else { Ok(()) }
}

/// Units of work done, and what they left of the gauge.
fn left(run: &Run, gauge: &str) -> (u64, f64) {
    let at = |gauges: &lab::series::Gauges| gauges.get(gauge).copied().unwrap_or(0) as f64;
    (run.report.units_done, at(&run.report.after) - at(&run.report.before))
}

/// Runs a part of the lab, and fails if the lab leaves a task of its own behind.
fn checked<F, T>(work: impl FnOnce() -> F + Send + 'static) -> T
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    Checker::multi_thread(2).deadline(DEADLINE).assert(work)
}
