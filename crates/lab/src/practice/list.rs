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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::practice::progress::{Answered, note};

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
        let one = catalogue.find_exercise("upload-scan").unwrap().clone();
        let named = |name: &str| {
            let mut other = one.clone();
            name.clone_into(&mut other.scenario.name);
            other
        };
        catalogue.exercises = ["payment-callbacks", "upload-scan", "tea-house"].map(named).to_vec();
        catalogue
    }

    #[test]
    fn the_table_says_what_was_done_and_the_next_is_the_first_that_is_not_done() {
        let (root, catalogue) = (tempfile::tempdir().unwrap(), catalogue());
        let answered = Answered { line: true, waits: true, holder: true, per_unit: true, date: "d".into() };
        note(root.path(), "payment-callbacks", |entry| {
            entry.answered = Some(answered.clone());
            (entry.passed, entry.guarded) = (Some("d".into()), Some("d".into()));
        })
        .unwrap();
        note(root.path(), "upload-scan", |entry| entry.answered = Some(Answered { waits: false, ..answered })).unwrap();
        let progress = Progress::read(root.path());
        let table = table(&catalogue, &progress);
        assert_eq!(table[0], "exercise           level   min  answer  fix  guard");
        assert_eq!(table[1], "payment-callbacks  1        15  4/4     yes  yes");
        assert_eq!(table[2], "upload-scan        1        15  3/4     -    -");
        assert!(table.iter().all(|line| line.chars().count() <= 50), "{table:?}");
        let next = |after| next(&catalogue, &progress, after).map(Exercise::name);
        assert_eq!(next(None), Some("upload-scan"));
        assert_eq!(next(Some("upload-scan")), Some("tea-house"));
        assert_eq!(next(Some("tea-house")), Some("upload-scan"), "round and round");
    }
}
