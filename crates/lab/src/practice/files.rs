//! The two files that a reader writes: looked at four times a second, as the book's sources are.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use evidence::exercise::{Exercise, MINE};

use super::guard;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// An editor that replaces a file leaves none for a moment: it is missing when so many looks in a row saw none.
const MISSING_LOOKS: u32 = 3;
/// So many old copies are kept.
const OLD_MAX: usize = 1_000;

/// What a look saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The copy has another text.
    Mine,
    /// The copy is gone.
    MineGone,
    /// The guard has another text.
    Guard,
}

/// What is known of one file.
struct Seen {
    path: PathBuf,
    /// When it was written, and how long it is; none while it is missing.
    at: Option<(SystemTime, u64)>,
    text: Option<u64>,
    missed: u32,
}

/// The reader's files.
pub struct Files {
    mine: Seen,
    guard: Seen,
}

impl Files {
    /// As they are now.
    pub fn of(exercise: &Exercise) -> Self {
        let seen = |path: PathBuf| {
            let mut seen = Seen { path, at: None, text: None, missed: MISSING_LOOKS };
            seen.look();
            seen
        };
        Self { mine: seen(mine(exercise)), guard: seen(exercise.scenario.dir.join(guard::FILE)) }
    }

    /// True when there is no copy.
    pub fn is_mine_gone(&self) -> bool {
        self.mine.at.is_none()
    }

    /// Waits for a change. May be dropped at any moment and called again.
    pub async fn changed(&mut self) -> Change {
        loop {
            if let Some(change) = self.look() {
                return change;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A change since the last look.
    pub fn look(&mut self) -> Option<Change> {
        if self.mine.look() {
            return Some(if self.is_mine_gone() { Change::MineGone } else { Change::Mine });
        }
        self.guard.look().then_some(Change::Guard)
    }
}

impl Seen {
    /// True when the text is another one, or gone, or there again.
    fn look(&mut self) -> bool {
        let now = fs::metadata(&self.path).and_then(|data| Ok((data.modified()?, data.len()))).ok();
        match now {
            None if self.missed < MISSING_LOOKS => {
                self.missed += 1;
                if self.missed < MISSING_LOOKS {
                    return false;
                }
                (self.at, self.text) = (None, None);
                true
            }
            None => false,
            _ if now == self.at => {
                self.missed = 0;
                false
            }
            _ => {
                let Ok(bytes) = fs::read(&self.path) else { return false };
                (self.at, self.missed) = (now, 0);
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                let text = Some(hasher.finish());
                std::mem::replace(&mut self.text, text) != text
            }
        }
    }
}

/// The reader's copy.
pub fn mine(exercise: &Exercise) -> PathBuf {
    exercise.scenario.source(MINE)
}

/// Makes the reader's copy anew, from the service as it is given. Returns the name under which the old one is kept; none where there was none.
///
/// # Errors
/// When a file cannot be read or written: then the old copy is still there.
pub fn reset(exercise: &Exercise) -> io::Result<Option<String>> {
    let path = mine(exercise);
    let kept = if path.exists() { Some(keep(&path)?) } else { None };
    bring_back(&exercise.scenario.dir)?;
    Ok(kept)
}

/// Writes the reader's copy in the folder of an exercise. Without one the exercise cannot even be read.
///
/// # Errors
/// When a file cannot be read or written.
pub fn bring_back(folder: &Path) -> io::Result<()> {
    let (path, new) = (folder.join("mine.rs"), folder.join("mine.rs.new"));
    fs::copy(folder.join("start.rs"), &new)?;
    fs::rename(&new, &path)
}

/// The folder of an exercise whose copy is missing.
pub fn without_mine(root: &Path, name: &str) -> Option<PathBuf> {
    let folder = root.join("exercises").join(name);
    (folder.join("start.rs").is_file() && !folder.join("mine.rs").exists()).then_some(folder)
}

/// Copies it to the first free name.
fn keep(path: &Path) -> io::Result<String> {
    for n in 1..OLD_MAX {
        let old = path.with_extension(format!("rs.old-{n}"));
        if !old.exists() {
            fs::copy(path, &old)?;
            return Ok(old.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    Err(io::Error::other("there are a thousand old copies: delete some"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &Path) -> Seen {
        let mut seen = Seen { path: path.to_owned(), at: None, text: None, missed: MISSING_LOOKS };
        seen.look();
        seen
    }

    /// Writes it, as old as it must be to be seen whatever the file system's clock.
    fn write(path: &Path, text: &str, age: u64) {
        fs::write(path, text).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 - age);
        fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn a_save_is_seen_once_and_one_that_changes_nothing_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.rs");
        write(&path, "one", 9);
        let mut seen = seen(&path);
        assert!(!seen.look());
        write(&path, "two", 8);
        assert_eq!([seen.look(), seen.look()], [true, false]);
        write(&path, "two", 7);
        assert!(!seen.look(), "the same text");
    }

    #[test]
    fn a_file_that_an_editor_replaces_is_not_missing_and_one_that_is_gone_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.rs");
        write(&path, "one", 9);
        let mut seen = seen(&path);
        fs::remove_file(&path).unwrap();
        assert_eq!([seen.look(), seen.look()], [false, false]);
        write(&path, "two", 8);
        assert_eq!([seen.look(), seen.look()], [true, false]);
        fs::remove_file(&path).unwrap();
        assert_eq!([seen.look(), seen.look(), seen.look(), seen.look()], [false, false, true, false]);
        write(&path, "two", 8);
        assert!(seen.look(), "it is there again");
    }
}
