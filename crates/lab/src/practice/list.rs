//! The exercises with what the reader has done of each, as a plain table. Pure.

use evidence::{catalogue::Catalogue, exercise::Exercise};

use super::progress::{Entry, Progress};

/// The table; it fits 50 columns as long as names have at most 18 letters.
pub fn table(catalogue: &Catalogue, progress: &Progress) -> Vec<String> {
    let width = catalogue.exercises.iter().map(|one| one.name().len()).max().unwrap_or(0).max("exercise".len());
    let mut lines = vec![format!("{:<width$}  level   min  answer  fix  guard", "exercise")];
    lines.extend(catalogue.exercises.iter().map(|one| {
        let entry = progress.of(one.name());
        let (level, minutes) = (one.facts.level, one.facts.minutes);
        let tick = |done: bool| if done { "yes" } else { "-" };
        let row = format!(
            "{:<width$}  {level:<5} {minutes:>5}  {:<6}  {:<3}  {}",
            one.name(),
            answered(&entry),
            tick(entry.passed.is_some()),
            tick(entry.guarded.is_some()),
        );
        row.trim_end().to_owned()
    }));
    lines
}

/// `3/4`.
pub fn answered(entry: &Entry) -> String {
    entry.answered.as_ref().map_or_else(
        || "-".to_owned(),
        |answered| {
            let right = [answered.line, answered.waits, answered.holder, answered.per_unit];
            format!("{}/4", right.into_iter().filter(|right| *right).count())
        },
    )
}

/// The first exercise after `name`, or of all, of which something is missing; those before it come last. None when all are done.
pub fn next<'a>(catalogue: &'a Catalogue, progress: &Progress, after: Option<&str>) -> Option<&'a Exercise> {
    let all = &catalogue.exercises;
    let from = after.and_then(|name| all.iter().position(|one| one.name() == name)).map_or(0, |at| at + 1);
    let mut round = all[from..].iter().chain(&all[..from]);
    round.find(|one| Some(one.name()) != after && !progress.of(one.name()).is_done())
}
