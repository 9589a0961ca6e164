//! The matrix: which cells there are, what each runs, and which verdict is right.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use leakcheck::{Checker, Report};
use tokio::time::timeout;

use crate::{
    events::{self, Event, Stage, pause_between},
    gate::{self, Group},
};

/// The program's own limit: far beyond the event, and far below the ten virtual seconds.
const LIMIT: Duration = Duration::from_secs(3);
/// When an event under a limit comes, and how soon it comes again to a task that never stops asking.
const UNDER_LIMIT: Duration = Duration::from_millis(600);
const AGAIN: Duration = Duration::from_millis(300);

/// The runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    CurrentThread,
    StartPaused,
    MultiThread,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// Waits for the event, which comes after this time.
    Ends(Duration),
    /// The same, with a limit around the wait.
    EndsUnderLimit,
    /// Waits for an event that does not come.
    Leaks,
    /// Asks again and again, and would give up at the first limit that it sees.
    LeaksUnderLimit,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    event: Event,
    program: Program,
    on: On,
}

/// Cells with children come last: they run apart from the others.
pub(crate) fn all() -> Vec<Cell> {
    let waits = [50, 600, 2_000].map(|ms| Program::Ends(Duration::from_millis(ms)));
    let others = [Program::EndsUnderLimit, Program::Leaks, Program::LeaksUnderLimit];
    let mut cells = Vec::new();
    for event in events::ALL {
        // A name takes as long as it takes.
        let waits = if event.is_name() { &waits[..1] } else { &waits[..] };
        for program in waits.iter().copied().chain(others) {
            let runtimes = [On::CurrentThread, On::StartPaused, On::MultiThread];
            cells.extend(runtimes.map(|on| Cell { event, program, on }));
        }
    }
    cells
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        let program = match self.program {
            Program::Ends(after) => format!("ends_after_{}_ms", after.as_millis()),
            Program::EndsUnderLimit => "ends_under_limit".into(),
            Program::Leaks => "leaks".into(),
            Program::LeaksUnderLimit => "leaks_under_limit".into(),
        };
        format!("{:?}::{program}::{:?}", self.event, self.on)
    }

    /// Runs the program once, and says what is wrong with the verdict.
    pub(crate) fn run(&self) -> Result<(), String> {
        let _inside = gate::enter(if self.event.has_child() { Group::Children } else { Group::NoChildren });
        let (stage, done) = (Stage::set(self.event), Done::default());
        let (cell, own, told, begun) = (*self, stage.clone(), done.clone(), Instant::now());
        let found = self.checker().find(move || async move { cell.start(own, told) });
        let took = begun.elapsed();
        let done = done.is_set();
        stage.clear();
        if env::var_os("LEAKCHECK_TIMES").is_some() {
            println!("{:>6} ms  {}", took.as_millis(), self.name());
        }
        let wrong = self.wrong(&found.report, done);
        wrong.map_or(Ok(()), |wrong| Err(format!("after {} ms: {wrong}\n{}", took.as_millis(), found.report)))
    }

    fn checker(&self) -> Checker {
        match self.on {
            On::CurrentThread => Checker::current_thread(),
            On::StartPaused => Checker::current_thread().start_paused(true),
            On::MultiThread => Checker::multi_thread(2),
        }
    }

    /// The body: it spawns one task and returns.
    fn start(self, stage: Stage, done: Done) {
        tokio::spawn(self.task(stage, done));
    }
    const SPAWN: u32 = line!() - 2;

    async fn task(self, stage: Stage, done: Done) {
        let event = self.event;
        match self.program {
            Program::Ends(after) => {
                event.happen(Some(after), &stage).await;
                done.set();
            }
            Program::EndsUnderLimit => {
                if self.within_limit(event.happen(Some(UNDER_LIMIT), &stage)).await {
                    done.set();
                }
            }
            // A name is always found or not, so what leaks is a task that looks again and again.
            Program::Leaks if event.is_name() => loop {
                event.happen(None, &stage).await;
                pause_between(event).await;
            },
            Program::Leaks => event.happen(None, &stage).await,
            Program::LeaksUnderLimit => {
                while self.within_limit(event.happen(Some(AGAIN), &stage)).await {
                    pause_between(event).await;
                }
            }
        }
    }

    /// Waits for the event under the program's limit. Returns whether the limit has not fired before its time: on a machine
    /// that has no processor for the event, it fires with good reason.
    async fn within_limit(self, event: impl Future<Output = ()>) -> bool {
        let begun = Instant::now();
        timeout(LIMIT, event).await.is_ok() || begun.elapsed() >= LIMIT || self.limit_may_win()
    }

    /// Nothing tells a checker that a task looks at the std clock, so a limit on tokio's clock may win where that clock may
    /// run ahead. The verdict must be right all the same.
    fn limit_may_win(self) -> bool {
        self.event == Event::StdClock && self.on != On::MultiThread
    }

    fn wrong(&self, report: &Report, done: bool) -> Option<String> {
        match self.program {
            Program::Ends(_) | Program::EndsUnderLimit if !report.is_clean() => {
                Some("blamed, and it ends by itself".into())
            }
            Program::Ends(_) | Program::EndsUnderLimit => (!done).then(|| "clean, but its work was cut off".into()),
            Program::Leaks => self.wrong_blame(report, self.event.blocking()..=self.event.blocking()),
            // The next closure may run or not when the verdict is given.
            Program::LeaksUnderLimit if self.event.is_name() => self.wrong_blame(report, 0..=1),
            Program::LeaksUnderLimit => self.wrong_blame(report, 0..=self.event.blocking()),
        }
    }

    fn wrong_blame(&self, report: &Report, blocking: std::ops::RangeInclusive<usize>) -> Option<String> {
        let blocking = if self.event.is_name() { 0..=1 } else { blocking };
        let blamed: Vec<_> = report
            .survivors
            .iter()
            .map(|group| (group.file.ends_with("outside/cells.rs"), group.line, group.count))
            .collect();
        if blamed != [(true, Self::SPAWN, 1)] {
            return Some(format!("it leaks one task spawned in line {}", Self::SPAWN));
        }
        (!blocking.contains(&report.blocking)).then(|| format!("{blocking:?} closures are busy"))
    }
}

/// Set by a task when its work is complete.
#[derive(Clone, Default)]
struct Done(Arc<AtomicBool>);

impl Done {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
