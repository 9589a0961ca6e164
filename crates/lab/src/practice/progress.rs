//! What a reader has done of each exercise: `progress.toml` in the root. Git ignores it, and neither `cargo clean` nor an update touches it.
//!
//! The server and the terminal may write at the same time: each change reads the file, changes one entry and replaces the whole, under a lock.
//! What this version does not know, exercises and fields, is kept as it is.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The file, from the root.
pub const FILE: &str = "progress.toml";
/// What stands above the entries.
const HEAD: &str =
    "# What you have done of each exercise. `cargo lab practice` writes it; delete an entry to begin anew.\n\n";
/// Whoever else writes needs a few milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(5);
/// How often the lock is asked for.
const LOCK_LOOK: Duration = Duration::from_millis(5);
/// So many damaged files are kept.
const KEPT_MAX: usize = 100;

/// What was done of one exercise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Steps of the ladder that were taken.
    #[serde(default)]
    pub hints: usize,
    /// The diagnosis, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// The day on which the reader's copy passed for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<String>,
    /// The day on which the guard told both apart for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarded: Option<String>,
    /// The solution was looked at.
    #[serde(default)]
    pub solution: bool,
}

/// Which questions of the diagnosis were answered right, each once at least.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answered {
    /// Which line spawns what stays.
    pub line: bool,
    /// What it waits for.
    pub waits: bool,
    /// Who holds the other end.
    pub holder: bool,
    /// How many are left per unit of work.
    pub per_unit: bool,
    /// The day of the last answer.
    pub date: String,
}

impl Answered {
    /// True when each question was answered right.
    pub fn is_right(&self) -> bool {
        self.line && self.waits && self.holder && self.per_unit
    }
}

impl Entry {
    /// True when the exercise was passed, answered and guarded.
    pub fn is_done(&self) -> bool {
        self.passed.is_some() && self.guarded.is_some() && self.answered.as_ref().is_some_and(Answered::is_right)
    }

    /// What is still to do, in the order in which it is done.
    pub fn missing(&self) -> Vec<&'static str> {
        let answered = self.answered.as_ref().is_some_and(Answered::is_right);
        let steps = [("answer", answered), ("fix", self.passed.is_some()), ("guard", self.guarded.is_some())];
        steps.into_iter().filter(|(_, done)| !done).map(|(step, _)| step).collect()
    }
}

/// All entries, as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    entries: Table,
    /// What to say of a file that cannot be read, in one line.
    pub damaged: Option<String>,
}

impl Progress {
    /// What stands there. A file that is missing has no entries, and neither has a damaged one.
    pub fn read(root: &Path) -> Self {
        match fs::read_to_string(root.join(FILE)).map(|text| text.parse::<Table>()) {
            Ok(Ok(entries)) => Self { entries, damaged: None },
            Ok(Err(error)) => {
                let why = error.message().replace(char::is_control, " ");
                Self::broken(&format!("{FILE} is damaged ({why})"))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => Self::broken(&format!("{FILE} cannot be read ({error})")),
        }
    }

    fn broken(what: &str) -> Self {
        let line = format!("{what}: it will be kept aside as {FILE}.damaged when something new is noted");
        Self { entries: Table::new(), damaged: Some(line) }
    }

    /// What was done of an exercise.
    pub fn of(&self, name: &str) -> Entry {
        let Some(Value::Table(table)) = self.entries.get(name) else { return Entry::default() };
        // A field that a newer version writes in another way is none that this one knows.
        let known = |field: &str| {
            let only = Table::from_iter(table.get_key_value(field).map(|(name, value)| (name.clone(), value.clone())));
            Entry::deserialize(only).unwrap_or_default()
        };
        Entry {
            hints: known("hints").hints,
            answered: known("answered").answered,
            passed: known("passed").passed,
            guarded: known("guarded").guarded,
            solution: known("solution").solution,
        }
    }

    fn put(&mut self, name: &str, entry: &Entry) -> anyhow::Result<()> {
        let new = Table::try_from(entry)?;
        let old = match self.entries.remove(name) {
            Some(Value::Table(old)) => old,
            _ => Table::new(),
        };
        self.entries.insert(name.to_owned(), Value::Table(merged(old, new)));
        Ok(())
    }
}

/// The fields of `new`, and those of `old` that this version does not write.
fn merged(mut old: Table, new: Table) -> Table {
    for (field, value) in new {
        let value = match (old.remove(&field), value) {
            (Some(Value::Table(old)), Value::Table(new)) => Value::Table(merged(old, new)),
            (_, value) => value,
        };
        old.insert(field, value);
    }
    old
}

/// Changes what was done of one exercise, and returns it with what is to be said of a file that was damaged.
///
/// # Errors
/// When the file cannot be written, or somebody else holds it for seconds.
pub fn note(root: &Path, name: &str, change: impl FnOnce(&mut Entry)) -> anyhow::Result<(Entry, Option<String>)> {
    let _lock = lock(root)?;
    let mut progress = Progress::read(root);
    let said = progress.damaged.take().map(|line| set_aside(root, &line)).transpose()?;
    let mut entry = progress.of(name);
    change(&mut entry);
    progress.put(name, &entry)?;
    write(root, &(HEAD.to_owned() + &toml::to_string(&progress.entries)?))?;
    Ok((entry, said))
}

/// Moves a file that cannot be read out of the way, and returns what to say.
fn set_aside(root: &Path, line: &str) -> anyhow::Result<String> {
    let what = line.split_once(": ").map_or(line, |(what, _)| what);
    let names = std::iter::once(format!("{FILE}.damaged")).chain((2..KEPT_MAX).map(|n| format!("{FILE}.damaged-{n}")));
    let free = |name: &String| !root.join(name).exists();
    let aside = names.into_iter().find(free).with_context(|| format!("{what}: delete some {FILE}.damaged-*"))?;
    fs::rename(root.join(FILE), root.join(&aside)).with_context(|| format!("{what}: cannot move it"))?;
    Ok(format!("{what}: it is kept as {aside}, and {FILE} begins anew"))
}

/// A reader of the file never sees half of it.
fn write(root: &Path, text: &str) -> anyhow::Result<()> {
    let (path, new) = (root.join(FILE), root.join(format!("{FILE}.new")));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The lock is on the workbook's folder itself, so that no other file is needed. It ends with the handle, and with the process.
fn lock(root: &Path) -> anyhow::Result<Option<File>> {
    let Ok(folder) = File::open(root) else {
        // A system that does not open folders: then only the replacement is whole.
        return Ok(None);
    };
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_LOOK),
            Err(TryLockError::WouldBlock) => bail!("{FILE} is being written for {} s by another", LOCK_LIMIT.as_secs()),
            // A file system without locks.
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Where the progress stands.
pub fn path(root: &Path) -> PathBuf {
    root.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workbook(text: Option<&str>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            fs::write(path(root.path()), text).unwrap();
        }
        root
    }

    fn text(root: &tempfile::TempDir) -> String {
        fs::read_to_string(path(root.path())).unwrap()
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let root = workbook(None);
        let (entry, said) = note(root.path(), "upload-scan", |entry| entry.hints += 1).unwrap();
        assert_eq!((entry.hints, said), (1, None));
        let answered = Answered { line: true, date: "2026-11-28".into(), ..Answered::default() };
        note(root.path(), "upload-scan", |entry| entry.answered = Some(answered.clone())).unwrap();
        note(root.path(), "photo-import", |entry| entry.passed = Some("2026-11-29".into())).unwrap();
        let progress = Progress::read(root.path());
        assert_eq!(progress.of("upload-scan"), Entry { hints: 1, answered: Some(answered), ..Entry::default() });
        assert_eq!(progress.of("photo-import").passed.as_deref(), Some("2026-11-29"));
        assert_eq!(progress.of("no-such"), Entry::default());
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let newer = "stars = 3\n[tea-house]\nhints = 2\nrating = 'good'\n[tea-house.answered]\nline = true\nwhy = 'x'\ndate = 'd'\n\
            [upload-scan]\npassed = 7\nsolution = true\n";
        let root = workbook(Some(newer));
        note(root.path(), "tea-house", |entry| entry.hints = 3).unwrap();
        let kept: Table = text(&root).parse().unwrap();
        assert_eq!(kept["stars"].as_integer(), Some(3));
        assert_eq!(kept["tea-house"]["rating"].as_str(), Some("good"));
        assert_eq!(kept["tea-house"]["answered"]["why"].as_str(), Some("x"));
        assert_eq!(kept["tea-house"]["hints"].as_integer(), Some(3));
        assert_eq!(kept["upload-scan"]["passed"].as_integer(), Some(7), "an entry that was not noted is not touched");
        let entry = Progress::read(root.path()).of("upload-scan");
        assert_eq!((entry.passed, entry.solution), (None, true), "one strange field hides no other");
    }

    #[test]
    fn a_damaged_file_is_named_and_kept_aside() {
        let root = workbook(Some("[upload-scan\nhints = 1"));
        let line = Progress::read(root.path()).damaged.unwrap();
        assert!(line.starts_with("progress.toml is damaged (") && line.lines().count() == 1, "{line}");
        let (_, said) = note(root.path(), "upload-scan", |entry| entry.hints = 2).unwrap();
        let said = said.unwrap();
        assert!(said.ends_with("it is kept as progress.toml.damaged, and progress.toml begins anew"), "{said}");
        let aside = fs::read_to_string(root.path().join("progress.toml.damaged")).unwrap();
        assert_eq!(aside, "[upload-scan\nhints = 1");
        assert_eq!(Progress::read(root.path()).of("upload-scan").hints, 2);
        fs::write(path(root.path()), "again = ").unwrap();
        note(root.path(), "upload-scan", |_| ()).unwrap();
        assert!(root.path().join("progress.toml.damaged-2").exists(), "the first one is still there");
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let root = workbook(None);
        thread::scope(|scope| {
            for writer in 0..4 {
                let root = root.path();
                scope.spawn(move || {
                    for _ in 0..25 {
                        note(root, &format!("own-{writer}"), |entry| entry.hints += 1).unwrap();
                        note(root, "shared", |entry| entry.hints += 1).unwrap();
                    }
                });
            }
        });
        let progress = Progress::read(root.path());
        assert_eq!([0, 1, 2, 3].map(|writer| progress.of(&format!("own-{writer}")).hints), [25; 4]);
        assert_eq!(progress.of("shared").hints, 100);
    }

    #[test]
    fn what_is_missing_is_named_in_the_order_of_the_work() {
        let all = Answered { line: true, waits: true, holder: true, per_unit: true, date: String::new() };
        let mut entry = Entry { answered: Some(Answered { holder: false, ..all.clone() }), ..Entry::default() };
        assert_eq!(entry.missing(), ["answer", "fix", "guard"]);
        entry.answered = Some(all);
        entry.passed = Some("d".into());
        assert_eq!(entry.missing(), ["guard"]);
        assert!(!entry.is_done());
        entry.guarded = Some("d".into());
        assert!(entry.is_done() && entry.missing().is_empty());
    }
}
