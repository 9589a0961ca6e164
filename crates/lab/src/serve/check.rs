//! Checks of the reader's copy for the page that asks, and what the reader has done so far.

use std::{collections::BTreeMap, path::Path, sync::Mutex};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use evidence::{
    catalogue::Catalogue,
    chart::{Drawing, Live},
    exercise::{Exercise, HINTS, MINE, SOLUTION},
    recording,
};

use super::{
    lines::{self, Teller},
    state::{Lab, refuse, status_of},
};
use crate::{
    check::{self, Event, Outcome},
    practice::progress::{self, Answered, Entry, Progress},
    same_site::Form,
    today,
};

/// The reader's copy and a solution.
const SIDES: usize = 2;
/// The questions of a diagnosis.
const QUESTIONS: usize = 4;

pub(super) fn router(lab: Lab) -> Router {
    Router::new().route("/api/check/{name}", post(check)).route("/api/progress", get(done)).with_state(lab)
}

async fn check(State(lab): State<Lab>, UrlPath(name): UrlPath<String>) -> Response {
    let exercise = match Catalogue::read(&lab.root).and_then(|all| all.find_exercise(&name).cloned()) {
        Ok(exercise) => exercise,
        Err(error) => return refuse(status_of(&error, StatusCode::NOT_FOUND), format!("{error:#}")),
    };
    match lab.place(SIDES) {
        Ok(place) => lines::answer(|page| async move {
            checked(&lab.root, &exercise, page).await;
            drop(place);
        }),
        Err(refused) => refused.response(Form::Json),
    }
}

/// Checks, tells what happens, draws it, and notes that it has passed.
async fn checked(root: &Path, exercise: &Exercise, page: Teller) {
    let live = Mutex::new(live(root, exercise));
    let on = |event: Event| {
        let drawings = match (&event, live.lock()) {
            (Event::Sample { side, sample }, Ok(mut live)) => live.push(side, sample, 0),
            // What was drawn is void.
            (Event::Again { .. }, Ok(mut live)) => {
                *live = self::live(root, exercise);
                Vec::new()
            }
            _ => Vec::new(),
        };
        page.tell(event);
        page.draw(drawings);
    };
    let mut drawings: Vec<Drawing> = Vec::new();
    match check::check(root, exercise, MINE, &on).await {
        Ok(verdict) => {
            drawings = live.lock().map(|live| live.end(&verdict.runs)).unwrap_or_default();
            if verdict.outcome == Outcome::Passed {
                note_passed(root, exercise.name()).await;
            }
        }
        Err(error) => page.tell(Event::Error { message: format!("{error:#}") }),
    }
    page.end(drawings);
}

fn live(root: &Path, exercise: &Exercise) -> Live {
    let sides = [MINE, SOLUTION].map(str::to_owned).to_vec();
    Live::new(exercise.scenario.statement.clone(), sides, recording::load(root, exercise.name()).ok())
}

/// The page has its verdict also where the file cannot be written; the terminal says why.
async fn note_passed(root: &Path, name: &str) {
    let (root, name) = (root.to_owned(), name.to_owned());
    let note = move || -> anyhow::Result<Option<String>> {
        let day = today::day()?;
        let change = |entry: &mut Entry| {
            entry.passed.get_or_insert(day);
        };
        Ok(progress::note(&root, &name, change)?.1)
    };
    match tokio::task::spawn_blocking(note).await {
        Ok(Ok(None)) | Err(_) => {}
        Ok(Ok(Some(said))) => eprintln!("{said}"),
        Ok(Err(error)) => eprintln!("what has passed was not noted: {error:#}"),
    }
}

/// In words, by the exercise's name; those that were not begun are left out.
async fn done(State(lab): State<Lab>) -> Response {
    let read = move || -> anyhow::Result<BTreeMap<String, String>> {
        let (all, progress) = (Catalogue::read(&lab.root)?, Progress::read(&lab.root));
        let one = |exercise: &Exercise| Some((exercise.name().to_owned(), words(&progress.of(exercise.name()))?));
        Ok(all.exercises.iter().filter_map(one).collect())
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(done)) => Json(done).into_response(),
        Ok(Err(error)) => refuse(status_of(&error, StatusCode::INTERNAL_SERVER_ERROR), format!("{error:#}")),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the lab could not read what was done"),
    }
}

/// What was done of an exercise; none where nothing was.
fn words(entry: &Entry) -> Option<String> {
    let mut parts = Vec::new();
    if entry.is_done() {
        parts.push("done".to_owned());
    } else {
        let right = |answered: &Answered| {
            let Answered { line, waits, holder, per_unit, .. } = *answered;
            [line, waits, holder, per_unit].into_iter().filter(|right| *right).count()
        };
        parts.extend(entry.answered.as_ref().map(|one| format!("diagnosis {} of {QUESTIONS}", right(one))));
        parts.extend(entry.passed.as_ref().map(|day| format!("passed on {day}")));
        parts.extend(entry.guarded.as_ref().map(|_| "guarded".to_owned()));
    }
    if entry.hints > 0 {
        parts.push(format!("{} of {HINTS} hints", entry.hints));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_in_the_order_of_the_work() {
        assert_eq!(words(&Entry::default()), None);
        let answered = Answered { line: true, holder: true, ..Answered::default() };
        let mut entry = Entry { hints: 1, answered: Some(answered), ..Entry::default() };
        assert_eq!(words(&entry).unwrap(), "diagnosis 2 of 4 · 1 of 3 hints");
        entry.passed = Some("2026-11-28".into());
        entry.guarded = Some("2026-11-28".into());
        assert_eq!(words(&entry).unwrap(), "diagnosis 2 of 4 · passed on 2026-11-28 · guarded · 1 of 3 hints");
        entry.answered = Some(Answered { line: true, waits: true, holder: true, per_unit: true, date: String::new() });
        assert_eq!(words(&entry).unwrap(), "done · 1 of 3 hints");
    }
}
