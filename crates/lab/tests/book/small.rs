//! A small book with this book's own `book.toml` and theme, to be broken at will.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use book::For;
use evidence::{
    catalogue::Catalogue,
    exhibit::{Exhibits, Kind, Note, Notes},
    made_by::{MadeBy, hash_of},
};
use lab::today;
use serde_json::Value;
use tempfile::TempDir;

/// Where its only recording is.
pub(crate) const RECORDING: &str = "book/recordings/unconsumed-send.json";
const PAGE: &str = "book/src/unconsumed-send.md";

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The fixture, with notes as if its exhibits were made just now.
static FRESH: LazyLock<SmallBook> = LazyLock::new(|| {
    let book = SmallBook(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/fixture"), book.root());
    copy(&repository().join("book/theme"), &book.root().join("book/theme"));
    fs::copy(repository().join("book.toml"), book.root().join("book.toml")).unwrap();
    book.add_unrecorded();
    book.stamp();
    book
});

pub(crate) struct SmallBook(TempDir);

impl SmallBook {
    pub(crate) fn new() -> Self {
        let book = Self(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        copy(FRESH.root(), book.root());
        book
    }

    /// A scenario that nobody recorded.
    fn add_unrecorded(&self) {
        let scenarios = self.root().join("scenarios");
        copy(&scenarios.join("unconsumed-send"), &scenarios.join("not-recorded"));
        fs::remove_file(scenarios.join("not-recorded/guard.txt")).unwrap();
        let manifest = scenarios.join("not-recorded/Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap().replace("unconsumed-send", "not-recorded");
        fs::write(manifest, text).unwrap();
    }

    fn stamp(&self) {
        let catalogue = Catalogue::read(self.root()).unwrap();
        let exhibits = Exhibits::of(catalogue.find("unconsumed-send").unwrap());
        let made_by = |kind| today::made_by(exhibits.ingredients(kind).now(self.root()).unwrap()).unwrap();
        let mut notes = Notes::new();
        for one in exhibits.all.iter().filter(|one| one.kind != Kind::Runs) {
            let contents = hash_of(&fs::read(self.root().join(&one.file)).unwrap());
            notes.insert(one.file.clone(), Note { contents, made_by: made_by(one.kind) });
        }
        fs::write(self.root().join(exhibits.notes_file()), serde_json::to_string(&notes).unwrap()).unwrap();
        let MadeBy { hash, versions, .. } = made_by(Kind::Runs);
        let mut recording = self.recording();
        recording["source_hash"] = hash.into();
        recording["versions"] = serde_json::to_value(versions).unwrap();
        fs::write(self.root().join(RECORDING), recording.to_string()).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn recording(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.root().join(RECORDING)).unwrap()).unwrap()
    }

    /// Puts a line at the end of the chapter.
    pub(crate) fn with_line(self, line: &str) -> Self {
        let text = fs::read_to_string(self.root().join(PAGE)).unwrap();
        fs::write(self.root().join(PAGE), format!("{text}\n{line}\n")).unwrap();
        self
    }

    /// How many lines the chapter has.
    pub(crate) fn lines(&self) -> usize {
        fs::read_to_string(self.root().join(PAGE)).unwrap().lines().count()
    }

    pub(crate) fn replace(self, file: &str, from: &str, to: &str) -> Self {
        let file = self.root().join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(file, text.replace(from, to)).unwrap();
        self
    }

    /// The error of a build that must fail.
    pub(crate) fn error(&self) -> String {
        match book::build(self.root(), None, For::Readers) {
            Ok(_) => panic!("the book was built"),
            Err(error) => format!("{error:#}"),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
