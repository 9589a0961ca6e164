//! One run of some sides at the same time, each followed from its first line until its service has ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, bail};
use evidence::{
    contract::Fault,
    exercise::{Exercise, SOLUTION},
    series::{Closing, ConsoleView, Phase, Report, Run, Sample, Series},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::wire::Line;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Event, Tell};
use crate::{
    cargo::Executables,
    child::{self, Misuse, NotStarted, Program},
};

/// A load that goes on slowly is ended after this long. A load is offered within 1.5 seconds.
const LOAD_LIMIT: Duration = Duration::from_secs(30);
/// A whole run; the load's limit and the rest before and after it are within.
const RUN_LIMIT: Duration = Duration::from_secs(60);
/// A service of which no unit of work ends for so long hangs. The world's own delays are below a second.
const STALL: Duration = Duration::from_secs(10);
/// A program that is told to end its load says its report within this time, unless something keeps its threads.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// From SIGTERM to the last line. The program itself exits after 5 seconds.
const CLOSING_LIMIT: Duration = Duration::from_secs(6);
/// So many times the exercise's units are offered: N, and after a rest the others.
const TIMES: u64 = 4;

/// Sides of an exercise that are built.
pub(super) struct Attempt<'a> {
    pub(super) exercise: &'a Exercise,
    pub(super) executables: &'a Executables,
    pub(super) on: Tell<'a>,
}

/// How one side's run ended.
pub(super) struct Ended {
    /// None where it ended before its report.
    pub(super) run: Option<Run>,
    /// What is wrong with how it ended.
    pub(super) faults: Vec<Fault>,
    /// It had to be told to end its load.
    pub(super) stalled: bool,
    /// The first lines of its error output.
    pub(super) said: Vec<String>,
}

/// What a side said.
struct Followed {
    report: Report,
    closing: Option<Closing>,
    stalled: bool,
}

impl Attempt<'_> {
    /// Runs `sides` and `solution` at the same time. Without a report of any of the sides nobody waits for the solution.
    pub(super) async fn run(&self, sides: &[&str]) -> anyhow::Result<BTreeMap<String, Ended>> {
        let all: BTreeSet<_> = sides.iter().copied().chain([SOLUTION]).collect();
        let mut running: FuturesUnordered<_> =
            all.into_iter().map(|side| async move { (side, self.watch(side).await) }).collect();
        let mut ended = BTreeMap::new();
        // Not spawned: when this is dropped, so are the programs.
        while let Some((side, one)) = running.next().await {
            ended.insert(side.to_owned(), one?);
            let is_broken = |side: &&str| ended.get(*side).is_some_and(|ended: &Ended| ended.run.is_none());
            if sides.iter().all(is_broken) {
                break;
            }
        }
        Ok(ended)
    }

    async fn watch(&self, side: &str) -> anyhow::Result<Ended> {
        let bin = self.exercise.scenario.bin(side);
        let executable = self.executables.get(&bin).with_context(|| format!("cargo built no {bin}"))?;
        let mut program = Program::start(&bin, executable, &self.arguments())?;
        (self.on)(Event::Started { side: side.to_owned() });
        let mut series = Series::default();
        let followed = match timeout(RUN_LIMIT, self.follow(&mut program, side, &mut series)).await {
            Ok(followed) => followed,
            Err(_) => Err(anyhow::anyhow!("{bin} ran for more than {} s", RUN_LIMIT.as_secs())),
        };
        let end = program.end().await?;
        let mut faults = Vec::new();
        if end.children > 0 {
            let count = if end.children == 1 { "a process".into() } else { format!("{} processes", end.children) };
            faults.push(Fault::new(
                "children",
                format!("{bin} started {count} and ended without it: what a service starts it also ends"),
            ));
        }
        match followed {
            Ok(Followed { report, closing, stalled }) => {
                let said = [end.telling, end.said.clone()].concat();
                let run = Run { series, report, console: ConsoleView::default(), closing, said };
                Ok(Ended { run: Some(run), faults, stalled, said: end.said })
            }
            Err(error) if error.is::<NotStarted>() => Err(error),
            Err(error) => {
                faults.insert(0, broken(&error, &end));
                Ok(Ended { run: None, faults, stalled: true, said: end.said })
            }
        }
    }

    fn arguments(&self) -> Vec<String> {
        let units = self.exercise.scenario.statement.units;
        let numbers = [("--units", TIMES * units), ("--pause-at", units), ("--seconds", LOAD_LIMIT.as_secs())];
        let numbers = numbers.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]);
        std::iter::once("--no-console".to_owned()).chain(numbers).collect()
    }

    /// Reads what a side says, tells it to end after its report, and reads how it did.
    async fn follow(&self, program: &mut Program, side: &str, series: &mut Series) -> anyhow::Result<Followed> {
        let (mut report, stalled) = self.follow_load(program, side, series).await?;
        match stalled {
            true => report.stopped = Some(format!("none had ended for {} s", STALL.as_secs())),
            false => program.ask_to_end(),
        }
        let closing = match timeout(CLOSING_LIMIT, program.next::<Closing>()).await {
            Ok(Ok(closing)) => Some(closing),
            Ok(Err(error)) if error.is::<Misuse>() => return Err(error),
            // It ended without a word, or did not end: the contract has the sentence for both.
            Ok(Err(_)) | Err(_) => None,
        };
        Ok(Followed { report, closing, stalled })
    }

    /// The report, and whether the program had to be told to end its load.
    async fn follow_load(
        &self,
        program: &mut Program,
        side: &str,
        series: &mut Series,
    ) -> anyhow::Result<(Report, bool)> {
        let (mut progress, mut asked) = (Progress::default(), None);
        loop {
            let line = match asked {
                None => program.next().await?,
                Some(since) => match timeout_at(since + ANSWER_LIMIT, program.next()).await {
                    Ok(line) => line?,
                    Err(_) => bail!("{}", progress.stuck(&self.exercise.scenario.statement.unit)),
                },
            };
            match line {
                Line::Hello(_) => {}
                Line::Report(report) => return Ok((report, asked.is_some())),
                Line::Sample(sample) => {
                    series.push(&sample, 0);
                    if progress.has_stalled(&sample) && asked.is_none() {
                        program.ask_to_end();
                        asked = Some(Instant::now());
                    }
                    (self.on)(Event::Sample { side: side.to_owned(), sample });
                }
            }
        }
    }
}

/// When something last moved, by the program's own clock.
#[derive(Default)]
struct Progress {
    seen: Option<(Phase, u64)>,
    since_ms: u64,
}

impl Progress {
    fn has_stalled(&mut self, sample: &Sample) -> bool {
        let now = (sample.phase, sample.units_done);
        if self.seen != Some(now) {
            (self.seen, self.since_ms) = (Some(now), sample.elapsed_ms);
        }
        sample.elapsed_ms.saturating_sub(self.since_ms) >= STALL.as_millis() as u64
    }

    fn stuck(&self, unit: &str) -> String {
        let seconds = STALL.as_secs();
        match self.seen {
            None | Some((Phase::Start, _)) => format!("the service was not up after {seconds} s"),
            Some(_) => format!(
                "no {unit} ended for {seconds} s, and the program does not answer: something in it never gives its thread back, such as a \
                 loop without `.await`, `std::thread::sleep` or a `std` lock"
            ),
        }
    }
}

/// Why a side came to no report, in one line.
fn broken(error: &anyhow::Error, end: &child::Ended) -> Fault {
    let text = format!("{error:#}");
    let first = text.lines().next().unwrap_or_default().trim_end_matches(':');
    let panic = end.telling.iter().find(|line| line.contains(" panicked at "));
    match panic {
        _ if error.is::<Misuse>() => Fault::new("stdout", first),
        Some(panic) => Fault::new("panics", format!("{first}: {panic}")),
        None => Fault::new("load", first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of samples, each `(elapsed_ms, phase, units_done)`.
    fn stalled(samples: &[(u64, Phase, u64)]) -> Vec<bool> {
        let mut progress = Progress::default();
        let sample = |&(elapsed_ms, phase, units_done)| Sample { elapsed_ms, phase, units_done, gauges: [].into() };
        samples.iter().map(sample).map(|sample| progress.has_stalled(&sample)).collect()
    }

    #[test]
    fn a_load_of_which_nothing_ends_has_stalled_and_one_that_crawls_has_not() {
        use Phase::{Load, Quiet, Start};
        assert_eq!(stalled(&[(0, Start, 0), (9_900, Start, 0), (10_000, Start, 0)]), [false, false, true]);
        assert_eq!(
            stalled(&[(0, Load, 5), (9_000, Load, 6), (18_000, Load, 6), (19_000, Load, 6)]),
            [false, false, false, true]
        );
        assert_eq!(stalled(&[(0, Load, 5), (6_000, Quiet, 5), (12_000, Load, 5)]), [false; 3]);
    }
}
