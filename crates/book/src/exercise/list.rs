//! The table of all exercises.

use evidence::exercise::Exercise;

use super::super::{html, source::Source};

/// Every exercise, in the order of the book: what its service does, its level, its minutes. The column of the reader's progress is shown
/// where the lab serves the page.
pub(crate) fn list(source: &Source) -> String {
    let head = ["Exercise", "What the service does", "Level", "Minutes", "You"];
    let rows: Vec<_> = source.exercises().iter().map(row).collect();
    html::table("wb-exercises", "All exercises", &head, &rows)
}

fn row(exercise: &Exercise) -> Vec<String> {
    let about = exercise.scenario.about.trim_end_matches('.');
    vec![
        html::chapter(&exercise.scenario),
        html::prose(&evidence::side::capital(about)) + ".",
        exercise.level().to_owned(),
        exercise.facts.minutes.to_string(),
        format!("<span class=\"wb-reader\" data-exercise=\"{}\">–</span>", html::text(exercise.name())),
    ]
}
