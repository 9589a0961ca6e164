//! Runs the sides of a scenario at the same time and says what happens, as events: for the terminal, the page and the record.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::Serialize;
use stage::wire::{Line, Report, Sample};

use crate::{
    cargo,
    catalogue::Scenario,
    child::Program,
    record::Recorder,
    series::{Run, Series},
    verdict::{self, Verdict},
};

/// No run takes longer than this, whatever load was asked for.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// After the report the console gets this long to come to the program's own count. It hears of changes every 250 ms.
const AGREE_LIMIT: Duration = Duration::from_secs(10);

/// What happens while sides run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Cargo is at work.
    Build {
        /// What is being compiled.
        text: String,
        /// Units done.
        done: u32,
        /// Units in all.
        total: u32,
    },
    /// A side was looked at.
    Sample {
        /// Which.
        side: String,
        /// The program's own gauges.
        sample: Sample,
        /// Live tasks as the console tells them.
        console_tasks: u64,
    },
    /// All sides have ended and were judged.
    Verdict {
        /// The verdict in words, a sentence for each side.
        text: String,
        /// True when every side did what it states.
        ok: bool,
        /// Each side.
        sides: BTreeMap<String, SideVerdict>,
    },
    /// The run failed.
    Error {
        /// Why, and what to do.
        message: String,
    },
}

/// One side's part of the verdict.
#[derive(Clone, Debug, Serialize)]
pub struct SideVerdict {
    /// The verdict in words.
    pub text: String,
    /// The gauge it was judged by, and what is left of it per unit of work.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Live tasks at the end, as the program counts.
    pub program_tasks: u64,
    /// Live tasks at the end, as the console counts.
    pub console_tasks: u64,
    /// Events the console lost.
    pub dropped_events: u64,
    /// The line that spawned the largest group of survivors.
    pub spawned_at: Option<String>,
    /// How many are in that group.
    pub spawned_there: u64,
    /// What they wait on; none where the console cannot see it.
    pub waits_on: Option<String>,
}

/// Every side's run, by name.
pub type Runs = BTreeMap<String, Run>;

/// Builds and runs `sides` at the same time, each with `args`, and judges them. Dropping the future ends the programs.
///
/// # Errors
/// When a side does not compile, cannot start, or ends before its report.
pub async fn run(
    root: &Path,
    scenario: &Scenario,
    sides: &[String],
    args: &[String],
    on: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<Runs> {
    scenario.check_sides(sides)?;
    let bins: Vec<_> = sides.iter().map(|side| scenario.bin(side)).collect();
    let build = cargo::build(root, &bins, |step| {
        on(Event::Build { text: step.text, done: step.done, total: step.total });
    });
    let executables = build.await?;
    let runs = sides.iter().map(|side| {
        let (bin, executables) = (scenario.bin(side), &executables);
        async move {
            let executable = executables.get(&bin).with_context(|| format!("cargo built no {bin}"))?;
            let program = Program::start(&bin, executable, args)?;
            let watched = watch(program, |sample, console_tasks| {
                on(Event::Sample { side: side.clone(), sample: sample.clone(), console_tasks });
            });
            let run = tokio::time::timeout(RUN_LIMIT, watched).await;
            anyhow::Ok((side.clone(), run.with_context(|| format!("{bin} ran for too long"))??))
        }
    });
    // Not spawned: when one side fails, or nobody wants the result any more, the other is dropped and its program with it.
    Ok(futures_util::future::try_join_all(runs).await?.into_iter().collect())
}

/// Runs as [`run`] does, and tells the verdict or the error as the last event. True when every side did what it states.
pub async fn run_to_verdict(
    root: &Path,
    scenario: &Scenario,
    sides: &[String],
    args: &[String],
    on: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<Runs> {
    let result = run(root, scenario, sides, args, on).await;
    on(match &result {
        Ok(runs) => judged(scenario, runs),
        Err(error) => Event::Error { message: format!("{error:#}") },
    });
    result
}

/// The verdict on all sides, as an event.
pub fn judged(scenario: &Scenario, runs: &Runs) -> Event {
    let sides: BTreeMap<_, _> = runs.iter().map(|(side, run)| (side.clone(), judge_side(scenario, run))).collect();
    let ordered = scenario.sides.iter().filter_map(|side| Some((&side.name, sides.get(&side.name)?)));
    let text: Vec<_> = ordered.map(|(side, verdict)| format!("{side} {}", verdict.text)).collect();
    Event::Verdict {
        text: format!("{}.", text.join("; ")),
        ok: sides.values().all(|side| side.verdict.as_stated()),
        sides,
    }
}

fn judge_side(scenario: &Scenario, run: &Run) -> SideVerdict {
    let verdict = verdict::judge(run, &scenario.statement.gauge);
    let top = run.console.groups.iter().find(|group| group.kind == "task");
    SideVerdict {
        text: verdict.text(&scenario.statement.unit),
        program_tasks: run.report.after.get("tasks").copied().unwrap_or(0),
        console_tasks: run.console.tasks,
        dropped_events: run.console.dropped_events,
        spawned_at: top.map(|group| group.spawned_at.clone()),
        spawned_there: top.map_or(0, |group| group.count),
        waits_on: top.and_then(|group| group.waits_on.clone()),
        verdict,
    }
}

/// Follows one program over both of its interfaces until both have said what is left.
async fn watch(mut program: Program, mut on: impl FnMut(&Sample, u64)) -> anyhow::Result<Run> {
    let Line::Hello(hello) = program.next_line().await? else { bail!("a program says hello first") };
    let console = hello.console.context("the program has no console")?;
    let mut recorder = Recorder::connect(console.parse()?).await?;
    let (mut series, mut told) = (Series::default(), true);
    let report = loop {
        tokio::select! {
            line = program.next_line() => match line? {
                Line::Sample(sample) => {
                    on(&sample, recorder.tasks());
                    series.push(&sample, recorder.tasks());
                }
                Line::Report(report) => break report,
                Line::Hello(_) => bail!("{} said hello twice", hello.bin),
            },
            more = recorder.update(), if told => told = more,
        }
    };
    agree(&mut recorder, &report).await;
    let console = recorder.view();
    program.stop().await?;
    Ok(Run { series, report, console })
}

/// Lets the console come to the program's count. Where it does not, the verdict will say that the witnesses disagree.
async fn agree(recorder: &mut Recorder, report: &Report) {
    let program = report.after.get("tasks").copied().unwrap_or(0);
    let deadline = Instant::now() + AGREE_LIMIT;
    // Two more ticks, so that a count that is right by chance does not stay unseen.
    let mut agreed = 0;
    while agreed < 2 {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, recorder.update()).await {
            Ok(true) if recorder.tasks() == program => agreed += 1,
            Ok(true) => agreed = 0,
            Ok(false) | Err(_) => return,
        }
    }
}
