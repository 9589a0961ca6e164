//! Runs the sides of a scenario at the same time and says what happens, as events: for the terminal, the page and the record.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, bail};
use evidence::{
    catalogue::Scenario,
    series::{Phase, Run, Series},
    verdict::{self, Verdict},
};
use serde::Serialize;
use stage::wire::{Hello, Line, Report, Sample};
use tokio::time::Instant;

use crate::{
    cargo,
    child::Program,
    console::{self, Console},
};

/// No run takes longer than this, whatever load was asked for.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// After the report the console gets this long to come to the program's own count. It hears of changes every 250 ms.
const AGREE_LIMIT: Duration = Duration::from_secs(10);
/// A run in which no unit of work ends for this long is told, and told again each time as much has passed.
const STALL: Duration = Duration::from_secs(5);

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
    /// A program has started.
    Started {
        /// Which.
        side: String,
        /// Its load ends when it holds this much memory.
        memory_max_mib: u64,
        /// The lab itself takes at most this much to follow it.
        lab_memory_max_mib: u64,
    },
    /// No unit of work has ended for some seconds.
    Stalled {
        /// Of which side.
        side: String,
        /// For how long.
        seconds: u64,
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
    /// The line that spawned most of the survivors.
    pub spawned_at: Option<String>,
    /// How many were spawned there.
    pub spawned_there: u64,
    /// What most of these wait on; none where the console cannot see it.
    pub waits_on: Option<String>,
    /// How many of these wait on that.
    pub waiting_there: u64,
    /// Why the load ended early; none when it did not.
    pub stopped: Option<String>,
    /// The first lines of what the program said on its error output.
    pub said: Vec<String>,
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
            let program = Program::start(&bin, executable, &[&watched()[..], args].concat())?;
            let limit = || format!("{bin} ran for more than {} minutes", RUN_LIMIT.as_secs() / 60);
            let run = tokio::time::timeout(RUN_LIMIT, watch(program, side, on)).await;
            anyhow::Ok((side.clone(), run.with_context(limit)??))
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
    let verdict = verdict::judge(run, &scenario.statement);
    let lines = run.console.lines();
    let (spawned_at, spawned_there) = lines.first().map_or((None, 0), |(line, count)| (Some(*line), *count));
    let (waits_on, waiting_there) = spawned_at.and_then(|line| run.console.wait_at(line)).unwrap_or((None, 0));
    SideVerdict {
        text: verdict.text(),
        program_tasks: run.report.after.get("tasks").copied().unwrap_or(0),
        console_tasks: run.console.tasks,
        dropped_events: run.console.dropped_events,
        spawned_at: spawned_at.map(str::to_owned),
        spawned_there,
        waits_on: waits_on.map(str::to_owned),
        waiting_there,
        stopped: run.report.stopped.clone(),
        said: run.said.clone(),
        verdict,
    }
}

/// A program waits for a console at a port of its own.
fn watched() -> [String; 3] {
    ["--await-console", "--console", "127.0.0.1:0"].map(str::to_owned)
}

/// Follows one program over both of its interfaces until both have said what is left.
async fn watch(mut program: Program, side: &str, on: &(dyn Fn(Event) + Sync)) -> anyhow::Result<Run> {
    let Line::Hello(hello) = program.next::<Line>().await? else { bail!("a program says hello first") };
    on(started(side, &hello));
    let console = hello.console.context("the program has no console")?;
    let mut console = Console::attach(console.parse()?, console::MESSAGE_MAX).await?;
    let (mut series, mut progress, mut told) = (Series::default(), Progress::default(), true);
    let report = loop {
        tokio::select! {
            line = program.next::<Line>() => match line? {
                Line::Sample(sample) => {
                    series.push(&sample, console.tasks());
                    let stalled = progress.stalled(&sample);
                    on(Event::Sample { side: side.to_owned(), sample, console_tasks: console.tasks() });
                    if let Some(seconds) = stalled {
                        on(Event::Stalled { side: side.to_owned(), seconds });
                    }
                }
                Line::Report(report) => break report,
                Line::Hello(_) => bail!("{} said hello twice", hello.bin),
            },
            more = console.update(), if told => told = more,
        }
    };
    tokio::select! {
        () = agree(&mut console, &report) => {}
        () = program.attend() => {}
    }
    let console = console.view().await;
    let said = program.stop().await?;
    Ok(Run { series, report, console, closing: None, said })
}

fn started(side: &str, hello: &Hello) -> Event {
    Event::Started {
        side: side.to_owned(),
        memory_max_mib: hello.memory_max_mib,
        lab_memory_max_mib: console::MEMORY_MAX_MIB,
    }
}

/// When the last unit of work ended, by the program's own clock.
#[derive(Default)]
struct Progress {
    units_done: u64,
    since_ms: u64,
    told: u64,
}

impl Progress {
    /// For how many seconds no unit has ended, where that is to be told now.
    fn stalled(&mut self, sample: &Sample) -> Option<u64> {
        if sample.units_done != self.units_done || sample.phase == Phase::Quiet {
            *self = Self { units_done: sample.units_done, since_ms: sample.elapsed_ms, told: 0 };
        }
        let seconds = sample.elapsed_ms.saturating_sub(self.since_ms) / 1000;
        let times = seconds / STALL.as_secs();
        (times > self.told).then(|| {
            self.told = times;
            seconds
        })
    }
}

/// Lets the console come to the program's count. Where it does not, the verdict will say that the witnesses disagree.
async fn agree(console: &mut Console, report: &Report) {
    let program = report.after.get("tasks").copied().unwrap_or(0);
    let deadline = Instant::now() + AGREE_LIMIT;
    // Two more ticks, so that a count that is right by chance does not stay unseen.
    let mut agreed = 0;
    while agreed < 2 {
        match tokio::time::timeout_at(deadline, console.update()).await {
            Ok(true) if console.tasks() == program => agreed += 1,
            Ok(true) => agreed = 0,
            Ok(false) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of samples, each `(elapsed_ms, phase, units_done)`.
    fn told(samples: &[(u64, Phase, u64)]) -> Vec<Option<u64>> {
        let mut progress = Progress::default();
        let sample = |&(elapsed_ms, phase, units_done)| Sample { elapsed_ms, phase, units_done, gauges: [].into() };
        samples.iter().map(sample).map(|sample| progress.stalled(&sample)).collect()
    }

    #[test]
    fn a_run_without_progress_is_told_once_each_five_seconds() {
        use Phase::{Load, Start};
        let samples = [(0, Start, 0), (1_000, Load, 5), (5_900, Load, 5), (6_000, Load, 5), (6_250, Load, 5)];
        assert_eq!(told(&samples), [None, None, None, Some(5), None]);
        assert_eq!(told(&[(1_000, Load, 5), (6_000, Load, 5), (11_000, Load, 5)]), [None, Some(5), Some(10)]);
        assert_eq!(told(&[(5_000, Start, 0)]), [Some(5)], "a service that does not come up");
    }

    #[test]
    fn progress_and_the_quiet_phase_are_no_stall() {
        use Phase::{Load, Quiet};
        assert_eq!(told(&[(4_000, Load, 1), (8_000, Load, 2), (12_000, Load, 3)]), [None; 3]);
        assert_eq!(told(&[(1_000, Load, 5), (9_000, Quiet, 5), (20_000, Quiet, 5)]), [None; 3]);
    }
}
