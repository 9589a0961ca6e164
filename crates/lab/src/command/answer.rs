//! `cargo lab answer`.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use clap::Args;
use evidence::{
    catalogue::Catalogue,
    exercise::{Exercise, MINE, START},
    root,
};
use serde_json::json;

use super::{block_on, check, interrupted, print_json};
use crate::{
    check::Event,
    practice::{
        answer::{self, Given, Grades},
        diagnosis::{self, Questions},
        dialog::{self, Asked},
        keyboard::Keyboard,
        progress,
    },
    today, view,
};

/// The exercise, and answers where nobody is to be asked.
#[derive(Args)]
#[command(
    after_help = "Without an answer among the arguments all four are asked for. Exit code: 0 all four are right, 1 they are not, 2 wrong arguments or surroundings."
)]
pub struct Answer {
    /// The exercise, as `cargo lab list` names it
    name: String,
    /// Which line of start.rs adds what stays, such as `start.rs:76`; `none` where nothing stays. Repeat it for more lines
    #[arg(long, value_name = "FILE:LINE")]
    line: Vec<String>,
    /// What it waits for: the letter or the number of an option on the page
    #[arg(long, value_name = "OPTION")]
    waits: Option<String>,
    /// Who holds the other end: the letter or the number of an option on the page
    #[arg(long, value_name = "OPTION")]
    holder: Option<String>,
    /// How many are left per unit of work, such as `2`, `0.25` or `1/4`. In all, or once for each line
    #[arg(long, value_name = "COUNT")]
    per_unit: Vec<String>,
    /// Show the right answers, too
    #[arg(long)]
    show: bool,
    /// Print the grades as JSON
    #[arg(long)]
    json: bool,
}

impl Answer {
    /// Asks where it must, runs the given service, and grades; exit code 0 when all four answers are right.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        let catalogue = Catalogue::read(&root)?;
        let exercise = catalogue.find_exercise(&self.name)?;
        block_on(async {
            tokio::select! {
                biased;
                code = interrupted() => Ok(code),
                code = self.answer(&root, exercise) => code,
            }
        })
    }

    async fn answer(&self, root: &Path, exercise: &Exercise) -> anyhow::Result<ExitCode> {
        let questions = Questions::of(root, exercise)?;
        let (start, mine) = (diagnosis::source(exercise, START)?, diagnosis::source(exercise, MINE)?);
        let asked = Asked { exercise, choices: questions.choices(), start: &start, mine: &mine };
        let given = match self.given(&asked).map_err(anyhow::Error::msg)? {
            given if given != Given::default() || self.show => given,
            _ => match ask(&asked).await? {
                Some(given) => given,
                None => return Ok(ExitCode::FAILURE),
            },
        };
        let on = |event: Event| {
            if !self.json && !matches!(event, Event::Verdict(_)) {
                check::show(exercise, &event);
            }
        };
        let key = diagnosis::key(root, exercise, &on).await?;
        if !self.json {
            super::progress("");
        }
        let grades = answer::grade(&key, asked.choices, &given, self.show);
        let said = note(root, exercise, &given, &grades)?;
        said.iter().for_each(|line| eprintln!("warning: {line}"));
        self.print(exercise, &grades);
        Ok(if grades.are_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What the arguments say.
    fn given(&self, asked: &Asked<'_>) -> Result<Given, String> {
        let lines = (!self.line.is_empty()).then(|| asked.lines(&self.line.join(","))).transpose()?;
        let counts: Result<Vec<_>, _> = self.per_unit.iter().map(|text| answer::count(text)).collect();
        let option = |text: &Option<String>| text.as_deref().map(answer::option).transpose();
        Ok(Given {
            lines,
            waits: option(&self.waits)?,
            holder: option(&self.holder)?,
            per_unit: Some(counts?).filter(|counts| !counts.is_empty()),
        })
    }

    fn print(&self, exercise: &Exercise, grades: &Grades) {
        if self.json {
            print_json(&json!({ "exercise": exercise.name(), "right": grades.are_right(), "grades": grades }));
            return;
        }
        let width = view::text_width();
        dialog::graded(grades, width).iter().for_each(|line| say!("{line}"));
        let right = grades.all().iter().filter(|(_, grade)| grade.is_some_and(|grade| grade.right)).count();
        say!("{}", next(exercise, right));
    }
}

/// What to do after so many right answers.
fn next(exercise: &Exercise, right: usize) -> String {
    let name = exercise.name();
    match right {
        4 => format!("4 of 4 are right. next: `cargo lab practice {name}`"),
        right => format!("{right} of 4 are right. next: look again, or `cargo lab answer {name} --show`"),
    }
}

async fn ask(asked: &Asked<'_>) -> anyhow::Result<Option<Given>> {
    let Some(keyboard) = Keyboard::take() else {
        bail!("there is no terminal to ask in: give --line, --waits, --holder and --per-unit");
    };
    Ok(asked.ask(&keyboard, view::text_width(), &|line| say!("{line}")).await)
}

/// Notes what was right. What to say of a damaged file is returned.
fn note(root: &Path, exercise: &Exercise, given: &Given, grades: &Grades) -> anyhow::Result<Option<String>> {
    if *given == Given::default() {
        return Ok(None);
    }
    let day = today::day()?;
    let noted = progress::note(root, exercise.name(), |entry| {
        entry.answered = Some(grades.note(entry.answered.take(), day));
    });
    Ok(noted.context("cannot note the answer")?.1)
}
