//! What keys do.

use std::io::Write;

use evidence::exercise::{HINTS, MINE, SOLUTION, START};
use similar::{ChangeTag, TextDiff};

use super::{
    End, Session, Step,
    input::{Input, Press},
    lock,
};
use crate::{
    check::Event,
    practice::{
        answer, diagnosis,
        dialog::{self, Asked},
        files,
        keyboard::Keyboard,
    },
    today, view,
};

/// Lines around a change that are shown of a solution.
const CONTEXT: usize = 3;

/// Keys that take the whole terminal for a while.
pub(super) fn is_dialog(press: Press) -> bool {
    matches!(press, Press::Key('a'))
}

impl Session<'_> {
    /// Does what a key says.
    pub(super) async fn pressed(&self, press: Press, input: &mut Input) -> anyhow::Result<Step> {
        let confirmed = lock(&self.asked).take();
        if press != Press::Resized {
            self.quietly(|state| state.note.clear());
        }
        match press {
            Press::Key('q') | Press::End => Ok(Step::End(End::Quit(self.code()))),
            Press::Key('n') => Ok(Step::End(End::Next)),
            Press::Key('h') => self.hint().map(|()| Step::Wait),
            Press::Key('a') => self.answer(input).await,
            Press::Key('g') => Ok(Step::Guard),
            Press::Key('s') => self.solution(input, confirmed).await,
            Press::Key('r') if lock(&self.state).mine_gone => self.reset().map(|()| Step::Wait),
            Press::Key('r') => {
                self.ask('r', "reset mine.rs to start.rs? y resets it, your copy is kept beside it as mine.rs.old-N");
                Ok(Step::Wait)
            }
            Press::Key('y') if confirmed == Some('r') => self.reset().map(|()| Step::Wait),
            Press::Enter => Ok(if lock(&self.state).mine_gone { Step::Wait } else { Step::Check }),
            Press::Resized => {
                self.show();
                Ok(Step::Wait)
            }
            Press::Key(_) | Press::Back => {
                self.show();
                Ok(Step::Wait)
            }
        }
    }

    /// Asks for a second key.
    fn ask(&self, key: char, question: &str) {
        *lock(&self.asked) = Some(key);
        self.note(question);
    }

    fn hint(&self) -> anyhow::Result<()> {
        let no_hint = lock(&self.state).no_hint();
        if let Some(why) = no_hint {
            self.note(why);
            return Ok(());
        }
        self.remember(|entry| entry.hints = (entry.hints + 1).min(HINTS))?;
        let hint = lock(&self.state).hint();
        self.note(hint);
        Ok(())
    }

    fn reset(&self) -> anyhow::Result<()> {
        let said = match files::reset(self.exercise) {
            Ok(Some(old)) => format!("mine.rs is as start.rs again; your copy is kept as {old}"),
            Ok(None) => "mine.rs is there again, as start.rs is".to_owned(),
            Err(error) => format!("mine.rs stays as it is: {error}"),
        };
        self.note(said);
        Ok(())
    }

    /// Asks the four questions, and grades.
    async fn answer(&self, input: &mut Input) -> anyhow::Result<Step> {
        let Input::Keys(keyboard) = input else {
            self.note(format!("`cargo lab answer {}` takes your answers", self.exercise.name()));
            return Ok(Step::Again);
        };
        lock(&self.face).leave();
        let result = self.ask_and_grade(keyboard).await;
        if let Err(error) = &result {
            say(&format!("{error:#}"));
        }
        let _ = keyboard.line("\nEnter goes back to your copy ").await;
        Ok(Step::Again)
    }

    async fn ask_and_grade(&self, keyboard: &Keyboard) -> anyhow::Result<()> {
        let exercise = self.exercise;
        let questions = diagnosis::Questions::of(self.root, exercise)?;
        let (start, mine) = (diagnosis::source(exercise, START)?, diagnosis::source(exercise, MINE)?);
        let asked = Asked { exercise, choices: questions.choices(), start: &start, mine: &mine };
        let width = view::text_width();
        let Some(given) = asked.ask(keyboard, width, &say).await else { return Ok(()) };
        let known = lock(&self.key).clone();
        let key = match known {
            Some(key) => key,
            None => {
                say("start.rs runs beside a solution: its run tells the line and the count");
                diagnosis::key(self.root, exercise, &waiting).await?
            }
        };
        let grades = answer::grade(&key, asked.choices, &given, false);
        *lock(&self.key) = Some(key);
        dialog::graded(&grades, width).iter().for_each(|line| say(line));
        let day = today::day()?;
        self.remember(|entry| entry.answered = Some(grades.note(entry.answered.take(), day)))
    }

    /// After the exercise was passed, or when asked for twice.
    async fn solution(&self, input: &mut Input, confirmed: Option<char>) -> anyhow::Result<Step> {
        let passed = lock(&self.state).entry.passed.is_some();
        if !passed && confirmed != Some('s') {
            self.ask('s', "your copy has not passed yet: s again shows the solution all the same");
            return Ok(Step::Wait);
        }
        self.remember(|entry| entry.solution = true)?;
        let text = self.solution_text()?;
        if let Input::Keys(keyboard) = input {
            lock(&self.face).leave();
            say(&text);
            let _ = keyboard.line("\nEnter goes back to your copy ").await;
            self.show();
        } else {
            say(&text);
        }
        Ok(Step::Wait)
    }

    /// What the solution changes, and where the others are.
    fn solution_text(&self) -> anyhow::Result<String> {
        let path = |side: &str| format!("exercises/{}/{side}.rs", self.exercise.name());
        let (start, solution) = (diagnosis::source(self.exercise, START)?, diagnosis::source(self.exercise, SOLUTION)?);
        let mut text = format!("{} against start.rs:\n\n", path(SOLUTION));
        let diff = TextDiff::from_lines(&start, &solution);
        for group in diff.grouped_ops(CONTEXT) {
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                text += &format!("{sign} {}", change.value());
            }
            text += "  …\n";
        }
        let others: Vec<_> = self.exercise.solutions().filter(|side| *side != SOLUTION).map(path).collect();
        if !others.is_empty() {
            text += &format!("\nother solutions:\n  {}", others.join("\n  "));
        }
        Ok(text)
    }
}

fn say(line: &str) {
    // A terminal that went away is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Of a run for the key only what makes a reader wait is said.
fn waiting(event: Event) {
    if let Event::Build { text, total: 0, .. } = event {
        say(&text);
    }
}
