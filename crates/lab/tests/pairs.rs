//! Proves every side of every scenario and control: a leak leaks as it states, a fix comes back, a wrong turn still leaks, and both
//! witnesses agree, line by line; and four times the work leaves four times as much, or nothing. The tests are found by
//! listing the folder; `cargo test --test pairs unclosed-pipe` builds and runs some of them. The lab itself runs under
//! `leakcheck` here.

use std::{
    collections::BTreeMap,
    path::Path,
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use evidence::{
    catalogue::{Catalogue, Scenario},
    root,
    series::{Gauges, Run},
    verdict::Outcome,
};
use lab::{
    cargo,
    measure::EARLY,
    pair::{self, Event, SideVerdict},
};
use leakcheck::{Checker, Trend};
use libtest_mimic::{Arguments, Failed, Trial};
use stage::wire::Stated;

/// Most of a run is waiting: twice as many at once as there are cores still leave each side time to work.
const RUNS_AT_ONCE: usize = 4;
/// A whole build may come first.
const DEADLINE: Duration = Duration::from_secs(1_800);
/// How far the trend may be from what a side states, per unit of work.
const TREND_SHARE: f64 = 0.05;
/// A side is run so many times where the machine was too busy to tell.
const TRIES: u32 = 3;

/// One side of one scenario.
#[derive(Clone)]
struct Case {
    root: Arc<Path>,
    scenario: Arc<Scenario>,
    side: String,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(RUNS_AT_ONCE);
    let root: Arc<Path> = root::find().expect("the tests run inside the workbook").into();
    let scenarios =
        Catalogue::read(&root).and_then(|all| all.whole().map(|_| all.pairs().cloned().collect::<Vec<_>>()));
    let scenarios = scenarios.expect("the workbook can be read");
    let cases: Vec<_> = scenarios.into_iter().map(Arc::new).flat_map(|scenario| cases(&root, &scenario)).collect();
    let asked = cases.iter().filter(|case| is_asked(&arguments, &case.name()));
    let bins: Arc<[String]> = asked.map(|case| case.scenario.bin(&case.side)).collect();
    let built = Arc::new(OnceLock::new());
    let trial = |case: Case| {
        let (built, bins) = (built.clone(), bins.clone());
        Trial::test(case.name(), move || {
            // One build for all, by whichever test comes first.
            let here = case.root.clone();
            let build = || checked(move || async move { cargo::build(&here, &bins, |_| {}).await.map(drop) });
            built.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone()?;
            case.prove()
        })
    };
    libtest_mimic::run(&arguments, cases.into_iter().map(trial).collect()).exit_code()
}

fn cases(root: &Arc<Path>, scenario: &Arc<Scenario>) -> Vec<Case> {
    let case = |side| Case { root: root.clone(), scenario: scenario.clone(), side };
    scenario.side_names().into_iter().map(case).collect()
}

/// The harness's own rule, which it keeps to itself: only what will run is built.
fn is_asked(arguments: &Arguments, name: &str) -> bool {
    let fits = |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}

impl Case {
    fn name(&self) -> String {
        format!("{}::{}", self.scenario.name, self.side)
    }

    /// Runs the side with the load it states, and once more where the machine was too busy.
    fn prove(&self) -> Result<(), Failed> {
        let mut doubts = String::new();
        for _ in 0..TRIES {
            let (verdict, run) = self.run()?;
            if is_at_rest(&run) {
                same_numbers(&verdict, &run)?;
            }
            let too_busy = run.report.lateness.forbids_verdict(true) || run.report.units_late > 0;
            if !(too_busy && matches!(verdict.verdict.outcome, Outcome::CannotTell(_))) {
                return self.judge(&verdict, &run);
            }
            doubts = verdict.text;
        }
        Err(format!("{TRIES} times: {doubts}").into())
    }

    fn run(&self) -> Result<(SideVerdict, Run), Failed> {
        let early = ["--pause-at".to_owned(), (self.scenario.statement.units / EARLY).max(1).to_string()];
        let Self { root, scenario, side } = self.clone();
        let (verdicts, mut runs) = checked(move || async move {
            let runs = pair::run(&root, &scenario, &[side], &early, &|_| {}).await?;
            let Event::Verdict { sides, .. } = pair::judged(&scenario, &runs) else { unreachable!("it is a verdict") };
            anyhow::Ok((sides, runs))
        })
        .map_err(|error| format!("{error:#}"))?;
        Ok((verdicts[&self.side].clone(), runs.remove(&self.side).expect("the side was run")))
    }

    /// Holds verdict, numbers and trend against what the side states and what the program itself reports.
    fn judge(&self, verdict: &SideVerdict, run: &Run) -> Result<(), Failed> {
        let gauge = &self.scenario.statement.gauge;
        let stated = self.scenario.statement.survivors[&self.side][gauge];
        let expected = match stated {
            Stated::AtMost { .. } => Outcome::Bounded,
            Stated::PerUnit(_) if stated.grows() => Outcome::Leaks,
            Stated::PerUnit(_) => Outcome::Converges,
        };
        if verdict.verdict.outcome != expected {
            return Err(verdict.text.clone().into());
        }
        let plateau = run.report.plateau.as_ref().ok_or("no plateau was reported")?;
        let left = |gauges: &Gauges| more(&run.report.before, gauges, gauge);
        let (few, many) = (left(&plateau.gauges), left(&run.report.after));
        if let Stated::AtMost { at_most } = stated {
            let said = format!("{few} and {many} {gauge} above the start, at most {at_most} stated");
            return if few.max(many) > at_most as f64 { Err(said.into()) } else { Ok(()) };
        }
        let trend = Trend::through((plateau.units_done, few), (run.report.units_done, many));
        self.check_trend(&trend, stated.per_unit())
    }

    fn check_trend(&self, trend: &Trend, stated: f64) -> Result<(), Failed> {
        let (gauge, unit) = (&self.scenario.statement.gauge, &self.scenario.statement.unit);
        // Where nothing is to be left, fewer than in the middle is no growth: there the counts may have stood still for a while before
        // they were at rest, as they do until a client that was stopped is given up. The verdict has seen the return to the start.
        let by = if stated > 0.0 { (trend.per_operation - stated).abs() } else { trend.per_operation };
        let off = by > TREND_SHARE * stated.max(1.0);
        let said = format!("{:.2} {gauge} more for every {unit} more, stated {stated:.2}", trend.per_operation);
        if off || trend.is_leak() != (stated > 0.0) { Err(said.into()) } else { Ok(()) }
    }
}

/// True where both witnesses have told all, on a busy machine too; a run that is not at rest gets no verdict.
fn is_at_rest(run: &Run) -> bool {
    let told = run.console.ended.is_none() && run.console.dropped_events == 0;
    told && run.report.settled && run.console.tasks == run.report.after["tasks"]
}

/// Every number of the verdict is one that the program itself reports, and the console counts as it does on every line.
fn same_numbers(verdict: &SideVerdict, run: &Run) -> Result<(), Failed> {
    let program: BTreeMap<_, _> =
        run.report.spawned_at.iter().map(|site| (site.location.as_str(), site.alive)).collect();
    let console: BTreeMap<_, _> = run.console.lines().into_iter().collect();
    if program != console {
        return Err(format!("the program counts {program:?}, the console {console:?}").into());
    }
    let there = verdict.spawned_at.as_deref().map_or(0, |line| program[line]);
    let most = program.values().copied().max().unwrap_or(0);
    let numbers = (verdict.program_tasks, verdict.console_tasks, verdict.spawned_there, there);
    let tasks = run.report.after["tasks"];
    if numbers != (tasks, tasks, most, most) || verdict.waiting_there > most {
        return Err(format!("the verdict's numbers are not the program's: {verdict:?}").into());
    }
    Ok(())
}

/// How far a gauge is above its value before the load.
fn more(before: &Gauges, now: &Gauges, gauge: &str) -> f64 {
    let at = |gauges: &Gauges| gauges.get(gauge).copied().unwrap_or(0) as f64;
    at(now) - at(before)
}

/// Runs a part of the lab, and fails if the lab leaves a task of its own behind.
fn checked<F, T>(work: impl FnOnce() -> F + Send + 'static) -> T
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    Checker::multi_thread(2).deadline(DEADLINE).assert(work)
}
