//! `cargo lab check`.

use std::{path::Path, process::ExitCode, sync::Mutex};

use clap::Args;
use evidence::{
    catalogue::Catalogue,
    exercise::{Exercise, MINE},
    root, words,
};

use super::{block_on, interrupted, lock, print_json, progress};
use crate::check::{self, Event, Outcome, TRIES, Verdict};

/// The exit code where the machine was too busy to tell.
const TOO_BUSY: u8 = 3;

/// The exercise's name and what to check of it.
#[derive(Args)]
#[command(
    after_help = "Exit code: 0 it passes, 1 it does not, 2 wrong arguments or surroundings, 3 this machine was too busy to tell."
)]
pub struct Check {
    /// The exercise, as `cargo lab list` names it
    name: String,
    /// The side to check
    #[arg(long, default_value = MINE)]
    side: String,
    /// Print events as JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Runs the side beside the solution, and judges it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        let catalogue = Catalogue::read(&root)?;
        let exercise = catalogue.find_exercise(&self.name)?;
        block_on(async {
            tokio::select! {
                // First of all: no amount of news from the programs delays a signal. Dropping the check ends them.
                biased;
                code = interrupted() => Ok(code),
                code = self.run_until_judged(&root, exercise) => code,
            }
        })
    }

    async fn run_until_judged(&self, root: &Path, exercise: &Exercise) -> anyhow::Result<ExitCode> {
        let waits = Mutex::new(String::new());
        let on = |event: Event| match &event {
            _ if self.json => print_json(&event),
            // It may take minutes, and nothing would move. Cargo says it again and again.
            Event::Build { text, total: 0, .. } => {
                let said = std::mem::replace(&mut *lock(&waits), text.clone());
                if said != *text {
                    progress("");
                    say!("{text}");
                }
            }
            _ => show(exercise, &event),
        };
        match check::check(root, exercise, &self.side, &on).await {
            Ok(verdict) => Ok(match verdict.outcome {
                Outcome::Passed => ExitCode::SUCCESS,
                Outcome::Failed => ExitCode::FAILURE,
                Outcome::TooBusy => ExitCode::from(TOO_BUSY),
            }),
            Err(error) => {
                if self.json {
                    print_json(&Event::Error { message: format!("{error:#}") });
                }
                Err(error)
            }
        }
    }
}

/// An event in plain lines. Where nobody watches, nothing that is soon out of date.
pub(super) fn show(exercise: &Exercise, event: &Event) {
    match event {
        Event::Build { text, done, total } => progress(&words::building(text, *done, *total)),
        Event::Again { attempt } => {
            progress("");
            say!("this machine was too busy to tell: try {attempt} of {TRIES}");
        }
        Event::Sample { side, sample } => {
            progress(&format!("{side}: {} {} done", sample.units_done, exercise.scenario.statement.units_name()));
        }
        Event::Verdict(verdict) => {
            progress("");
            lines(exercise, verdict).iter().for_each(|line| say!("{line}"));
        }
        Event::Started { .. } | Event::Error { .. } => {}
    }
}

/// The verdict, each fault in a line of its own, then what to do next.
fn lines(exercise: &Exercise, verdict: &Verdict) -> Vec<String> {
    let Verdict { side, outcome, faults, said, .. } = verdict;
    let (bin, units) = (exercise.scenario.bin(side), exercise.scenario.statement.units_name());
    let mut lines = vec![match outcome {
        Outcome::Passed => format!(
            "{bin} passes: every gauge came back, all {units} got the right answer, and the service ended in time"
        ),
        Outcome::Failed => format!("{bin} does not pass:"),
        Outcome::TooBusy => format!("{bin}: this machine was too busy to tell, {TRIES} times"),
    }];
    lines.extend(faults.iter().map(|fault| format!("  {}: {}", fault.key, fault.sentence)));
    // The compiler draws what it means; of a program the sentence has quoted what matters.
    if faults.iter().any(|fault| fault.key == "build") {
        lines.extend(said.iter().map(|line| format!("    {line}")));
    }
    lines.extend(next(exercise, verdict));
    lines
}

fn next(exercise: &Exercise, verdict: &Verdict) -> Option<String> {
    let name = exercise.name();
    let again = check::command(name, &verdict.side);
    match verdict.outcome {
        Outcome::Passed if verdict.side == MINE => {
            Some(format!("next: write a test that keeps it so, `cargo lab guard {name}`"))
        }
        Outcome::Passed => None,
        Outcome::Failed => Some(format!("next: change exercises/{name}/{}.rs, then `{again}`", verdict.side)),
        Outcome::TooBusy => Some(format!(
            "next: end what else runs, then `{again}`; where nothing else runs, the side itself takes all processors"
        )),
    }
}
