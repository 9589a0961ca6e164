//! What the reader's diagnosis is graded by: a run of the given service, made now, and the questions as the page shows them.

use std::{fs, path::Path};

use anyhow::Context;
use book::questions::{Part, Question};
use evidence::{
    exercise::{Exercise, MINE, SOLUTION, START},
    key::{Key, Side},
};

use crate::check::{self, Tell};

/// The two questions of an exercise that have options, as its page shows them.
pub struct Questions {
    waits: Question,
    holder: Question,
}

impl Questions {
    /// Reads them.
    ///
    /// # Errors
    /// When one is missing or cannot be asked.
    pub fn of(root: &Path, exercise: &Exercise) -> anyhow::Result<Self> {
        let all = book::questions_of(root, exercise.name())?;
        let part = |part: Part, name: &str| {
            let file = format!("exercises/{}/questions.toml", exercise.name());
            let found = all.iter().find(|one| one.diagnosis == Some(part)).cloned();
            found.with_context(|| format!("{file}: no question has `diagnosis = \"{name}\"`"))
        };
        Ok(Self { waits: part(Part::Waits, "waits")?, holder: part(Part::Holder, "holder")? })
    }

    /// Both, for grading.
    pub fn choices(&self) -> super::answer::Choices<'_> {
        super::answer::Choices { waits: &self.waits, holder: &self.holder }
    }
}

/// Runs the given service beside a solution, and says what its run tells.
///
/// # Errors
/// When it cannot be built or run, or this machine is too busy.
pub async fn key(root: &Path, exercise: &Exercise, on: Tell<'_>) -> anyhow::Result<Key> {
    let verdict = check::check(root, exercise, START, on).await?;
    let side = |name: &str| {
        let run = verdict.runs.get(name).with_context(|| {
            let why = verdict.faults.first().map_or_else(|| "no report".to_owned(), |fault| fault.sentence.clone());
            format!("the run of {} says nothing: {why}", exercise.scenario.bin(name))
        })?;
        anyhow::Ok((run, source(exercise, name)?))
    };
    let ((start, start_text), (solution, solution_text)) = (side(START)?, side(SOLUTION)?);
    Key::of(
        exercise,
        Side { report: &start.report, source: &start_text },
        Side { report: &solution.report, source: &solution_text },
    )
}

/// The text of a side; the reader's copy may be missing.
///
/// # Errors
/// When another one is.
pub fn source(exercise: &Exercise, side: &str) -> anyhow::Result<String> {
    match fs::read_to_string(exercise.scenario.source(side)) {
        Ok(text) => Ok(text),
        Err(_) if side == MINE => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read exercises/{}/{side}.rs", exercise.name())),
    }
}
