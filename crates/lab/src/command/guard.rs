//! `cargo lab guard`.

use std::{path::Path, process::ExitCode, sync::Mutex};

use clap::Args;
use evidence::{catalogue::Catalogue, exercise::Exercise, root};
use serde_json::json;

use super::{block_on, check, interrupted, print_json};
use crate::{
    check::Event,
    practice::{
        guard::{self, Judged, Worth},
        layout::wrapped,
        progress,
    },
    today, view,
};

/// The exercise whose guard is tried.
#[derive(Args)]
#[command(
    after_help = "Exit code: 0 it fails on start.rs and passes on your copy, 1 it does not, 2 wrong arguments or surroundings."
)]
pub struct Guard {
    /// The exercise, as `cargo lab list` names it
    name: String,
    /// Print what it is worth as JSON
    #[arg(long)]
    json: bool,
}

impl Guard {
    /// Tries the guard on both; exit code 0 when it tells them apart.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        let catalogue = Catalogue::read(&root)?;
        let exercise = catalogue.find_exercise(&self.name)?;
        block_on(async {
            tokio::select! {
                biased;
                code = interrupted() => Ok(code),
                code = self.try_it(&root, exercise) => code,
            }
        })
    }

    async fn try_it(&self, root: &Path, exercise: &Exercise) -> anyhow::Result<ExitCode> {
        let on = |event: Event| {
            if !self.json && !matches!(event, Event::Verdict(_)) {
                check::show(exercise, &event);
            }
        };
        let judged = guard::try_on_both(root, exercise, &Mutex::new(None), &on).await?;
        let guards = judged.worth == Worth::Guards;
        if guards {
            let day = today::day()?;
            let noted = progress::note(root, exercise.name(), |entry| {
                entry.guarded.get_or_insert(day);
            });
            noted?.1.iter().for_each(|line| eprintln!("warning: {line}"));
        }
        if self.json {
            print_json(&json!({ "exercise": exercise.name(), "guards": guards, "judged": judged }));
        } else {
            super::progress("");
            print(&judged);
        }
        Ok(if guards { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn print(judged: &Judged) {
    wrapped("", &judged.sentence, view::text_width()).iter().for_each(|line| say!("{line}"));
    if !judged.compiler.is_empty() {
        say!("\n{}", judged.compiler);
    }
}
