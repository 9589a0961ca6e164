//! How a practice is shown: live on a terminal, else in plain lines, one for each thing that happens.

use std::io::Write;

use super::{
    input::Input,
    screen::Screen,
    state::{Doing, State, again, gone},
};

/// What the reader sees.
pub(crate) enum Face {
    Live(Screen),
    Plain(Plain),
}

/// What was said already.
#[derive(Default)]
pub(crate) struct Plain {
    said: Vec<String>,
    note: String,
    doing: Option<Doing>,
}

impl Face {
    pub(crate) fn of(input: &Input) -> Self {
        match input {
            Input::Keys(_) => Self::Live(Screen::default()),
            Input::Lines(_) | Input::Over => Self::Plain(Plain::default()),
        }
    }

    /// Shows what is known now.
    pub(crate) fn show(&mut self, state: &State<'_>) {
        match self {
            Self::Live(screen) => screen.draw(state),
            Self::Plain(plain) => plain.say(state),
        }
    }

    /// Gives the terminal to a dialog.
    pub(crate) fn leave(&mut self) {
        if let Self::Live(screen) = self {
            screen.leave();
        }
    }
}

impl Plain {
    /// Says what is new, each in a line.
    fn say(&mut self, state: &State<'_>) {
        let now = lines(state);
        let begins = self.doing.as_ref().is_some_and(|doing| *doing == Doing::Waiting) && state.doing != Doing::Waiting;
        if begins {
            // A new check may say again what the last one said.
            self.said.clear();
        }
        self.doing = Some(state.doing.clone());
        for line in now.iter().filter(|line| !self.said.contains(line)) {
            // A reader that went away (`| head`) is no reason to fail.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        self.said.extend(now);
        if self.note != state.note {
            self.note.clone_from(&state.note);
            if !state.note.is_empty() {
                let _ = writeln!(std::io::stdout(), "{}", state.note);
            }
        }
    }
}

/// What there is to say, whole sentences.
fn lines(state: &State<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if state.mine_gone {
        lines.push(gone(state.exercise));
    }
    match &state.doing {
        // Bars of cargo are for those who watch; that it waits for another is for all.
        Doing::Building(text) if text.starts_with("building ") => lines.push("building your copy".to_owned()),
        Doing::Building(text) => lines.push(text.clone()),
        Doing::Running => lines.push("your copy runs beside a solution".to_owned()),
        Doing::Again(attempt) => lines.push(again(*attempt)),
        Doing::Guarding => lines.push("your guard runs on start.rs and on your copy".to_owned()),
        Doing::Waiting => {
            lines.extend(state.verdict().into_iter().map(|(_, head, text)| format!("{head}{text}")));
            lines.extend(state.guard.iter().map(|judged| format!("guard: {}", judged.sentence)));
            if state.checked.is_some() {
                lines.push(format!("missing: {}", state.missing()));
            }
        }
    }
    lines
}
