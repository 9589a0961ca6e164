//! `cargo lab practice`.

use std::{io::IsTerminal, path::Path, process::ExitCode};

use anyhow::Context;
use clap::Args;
use evidence::{catalogue::Catalogue, exercise::Exercise, root};

use super::{block_on, interrupted};
use crate::practice::{
    files,
    keyboard::Keyboard,
    list,
    progress::Progress,
    session::{self, End, How},
};

/// What to practise.
#[derive(Args)]
#[command(
    after_help = "Exit code: 0 the last check passed, or there was none, 1 it did not, 2 wrong arguments or surroundings, 3 this machine was too busy to tell."
)]
pub struct Practice {
    /// The exercise; without one all are listed, and in a terminal the next unfinished one is opened
    name: Option<String>,
    /// Check once, say what is missing, and end
    #[arg(long, requires = "name")]
    once: bool,
}

impl Practice {
    /// Lists the exercises, or practises one until the reader ends it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        if let Some((name, folder)) =
            self.name.as_ref().and_then(|name| Some((name, files::without_mine(&root, name)?)))
            && !self.brought_back(name, &folder)?
        {
            return Ok(ExitCode::from(2));
        }
        let catalogue = Catalogue::read(&root)?;
        let first = match &self.name {
            Some(name) => catalogue.find_exercise(name)?,
            None => match list_all(&root, &catalogue) {
                Some(next) => next,
                None => return Ok(ExitCode::SUCCESS),
            },
        };
        block_on(async {
            tokio::select! {
                // First of all: no amount of news delays a signal. Dropping the practice ends what it runs.
                biased;
                code = interrupted() => Ok(code),
                code = self.practise(&root, &catalogue, first) => code,
            }
        })
    }

    /// Offers to make the copy anew that is missing; true when it is there.
    fn brought_back(&self, name: &str, folder: &Path) -> anyhow::Result<bool> {
        let missing = format!("exercises/{name}/mine.rs is missing");
        let Some(keyboard) = Keyboard::take().filter(|_| !self.once) else {
            say!("{missing}: `cargo lab practice {name}` in a terminal brings it back from start.rs");
            return Ok(false);
        };
        let question = format!("{missing}: Enter brings it back from start.rs ");
        let wanted = block_on(async {
            tokio::select! {
                biased;
                _ = interrupted() => Ok(false),
                line = keyboard.line(&question) => Ok(line.is_some()),
            }
        })?;
        if wanted {
            files::bring_back(folder).with_context(|| format!("{missing}, and it cannot be written"))?;
        }
        Ok(wanted)
    }

    async fn practise<'a>(
        &self,
        root: &Path,
        catalogue: &'a Catalogue,
        first: &'a Exercise,
    ) -> anyhow::Result<ExitCode> {
        let mut exercise = first;
        loop {
            match session::run(root, exercise, How { once: self.once }).await? {
                End::Quit(code) => return Ok(ExitCode::from(code)),
                End::Next => match list::next(catalogue, &Progress::read(root), Some(exercise.name())) {
                    Some(next) => exercise = next,
                    None => {
                        say!("no other exercise is unfinished");
                        return Ok(ExitCode::SUCCESS);
                    }
                },
            }
        }
    }
}

/// Prints the table. The exercise to open, where there is a terminal and one is unfinished.
fn list_all<'a>(root: &Path, catalogue: &'a Catalogue) -> Option<&'a Exercise> {
    let progress = Progress::read(root);
    list::table(catalogue, &progress).iter().for_each(|line| say!("{line}"));
    for problem in progress.damaged.iter().chain(catalogue.broken.iter().map(|broken| &broken.why)) {
        eprintln!("warning: {problem}");
    }
    let next = list::next(catalogue, &progress, None)?;
    let watched = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !watched {
        say!("next: `cargo lab practice {}`", next.name());
    }
    watched.then_some(next)
}
