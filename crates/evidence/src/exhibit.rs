//! Whatever a page shows and nobody typed is an *exhibit*: a file, what makes it, and a note of what made it. Knows and checks them;
//! `cargo lab record` makes them.
//!
//! | kind    | file                                  | made by                                        | its note                |
//! |---------|---------------------------------------|------------------------------------------------|-------------------------|
//! | runs    | `book/recordings/NAME.json`           | every side, watched by the lab                 | in the file             |
//! | guards  | `scenarios/NAME/guard.txt`            | the leak's own test                            | `shown.json` beside it  |
//! | tables  | those of `[package.metadata.shown]`   | the cargo command that stands there            | `shown.json` beside it  |
//! | screens | `book/src/screens/NAME.{svg,txt}`     | `scripts/pair NAME --capture`                  | `shown.json` beside `guard.txt` |
//! | claims  | `book/recordings/claims.json`         | `cargo run --bin claims` and `claims-console`  | in the file, by claim   |
//!
//! An exercise has runs and nothing else: every side but the reader's copy, beside its `solution`.
//!
//! The page *A leak test for your own code* shows what `leakcheck`'s tests say: tables of that package, called `leak-test` here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::Scenario,
    made_by::{Ingredients, MadeBy, Now, Package, hash_of},
};

/// What the page *A leak test for your own code* shows, by this name.
pub const LEAK_TEST: &str = "leak-test";
const LEAKCHECK: &str = "crates/leakcheck";
/// Beside a package's manifest: what made each of its exhibits.
const NOTES: &str = "shown.json";

/// What an exhibit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Kind {
    /// Reports of the guards
    Guards,
    /// Tables that examples, tests and benches make
    Tables,
    /// Recorded runs of every side
    Runs,
    /// Pictures of tokio-console
    Screens,
    /// What the general statements saw
    Claims,
}

/// One file, and what makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhibit {
    /// From the root.
    pub file: String,
    /// What it is.
    pub kind: Kind,
    /// For a table: cargo's arguments. One command may make several.
    pub command: Option<String>,
}

/// All exhibits of one name.
#[derive(Clone, Debug)]
pub struct Exhibits {
    /// A scenario's or an exercise's, or [`LEAK_TEST`].
    pub name: String,
    /// The package's folder, from the root.
    pub dir: String,
    /// What is shown of it.
    pub all: Vec<Exhibit>,
    /// Of an exercise what its runs are made from, besides its crates: neither the reader's files nor what is asked about it.
    exercise: Option<Vec<String>>,
}

/// What made an exhibit, and which contents it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Hash of the file: what was changed by hand was not made.
    pub contents: String,
    /// What made it.
    pub made_by: MadeBy,
}

/// The notes of a package, by file.
pub type Notes = BTreeMap<String, Note>;

#[derive(Deserialize)]
struct Manifest {
    package: ManifestPackage,
}

#[derive(Deserialize)]
struct ManifestPackage {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    shown: BTreeMap<String, String>,
}

/// Where the recorded runs of `name` are, from the root.
pub fn recording_file(name: &str) -> String {
    format!("book/recordings/{name}.json")
}

/// What to do where an exhibit of `name` is missing or stale.
pub fn renew(name: &str) -> String {
    format!("run `cargo lab record {name}`")
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guards => "guards",
            Self::Tables => "tables",
            Self::Runs => "runs",
            Self::Screens => "screens",
            Self::Claims => "claims",
        })
    }
}

impl Exhibits {
    /// What is shown of a scenario, or of an exercise.
    pub fn of(scenario: &Scenario) -> Self {
        let (name, dir) = (&scenario.name, scenario.folder());
        let one = |file: String, kind| Exhibit { file, kind, command: None };
        if scenario.is_exercise() {
            let sides = scenario.recorded_sides().into_iter().map(|side| format!("{dir}/{side}.rs"));
            let sources = sides.chain(["world.rs", "Cargo.toml"].map(|file| format!("{dir}/{file}"))).collect();
            let all = vec![one(recording_file(name), Kind::Runs)];
            return Self { name: name.clone(), dir, all, exercise: Some(sources) };
        }
        if scenario.is_control() {
            let all = vec![one(recording_file(name), Kind::Runs)];
            return Self { name: name.clone(), dir, all, exercise: None };
        }
        let mut all = vec![one(format!("{dir}/guard.txt"), Kind::Guards)];
        all.extend(tables(&dir, &scenario.shown));
        all.push(one(recording_file(name), Kind::Runs));
        all.extend(["svg", "txt"].map(|ext| one(format!("book/src/screens/{name}.{ext}"), Kind::Screens)));
        Self { name: name.clone(), dir, all, exercise: None }
    }

    /// What the page on leak tests shows.
    ///
    /// # Errors
    /// When leakcheck's manifest cannot be read.
    pub fn of_leak_test(root: &Path) -> anyhow::Result<Self> {
        let file = format!("{LEAKCHECK}/Cargo.toml");
        let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {file}"))?;
        let manifest: Manifest = toml::from_str(&text).context(file)?;
        let all = tables(LEAKCHECK, &manifest.package.metadata.shown).collect();
        Ok(Self { name: LEAK_TEST.into(), dir: LEAKCHECK.into(), all, exercise: None })
    }

    /// The exhibit whose file is called `name` in the package's folder.
    ///
    /// # Errors
    /// Names those that there are.
    pub fn find(&self, name: &str) -> anyhow::Result<&Exhibit> {
        let own =
            || self.all.iter().filter_map(|one| Some((one.file.strip_prefix(&self.dir)?.strip_prefix('/')?, one)));
        let known = || own().map(|(file, _)| file).collect::<Vec<_>>().join(", ");
        let found = own().find(|(file, _)| *file == name).map(|(_, one)| one);
        found.with_context(|| format!("{} shows no `{name}`: it shows {}", self.name, known()))
    }

    /// What a kind of exhibit is made from.
    pub fn ingredients(&self, kind: Kind) -> Ingredients {
        let package = |dir: &str, dev| Package { dir: dir.to_owned(), dev };
        let leakcheck = || [format!("{LEAKCHECK}/src"), "crates/leakcheck-macros/src".to_owned()];
        let mut made: BTreeSet<_> = self.all.iter().map(|one| one.file.clone()).collect();
        made.insert(self.notes_file());
        if self.name == LEAK_TEST {
            let tests = ["tests/page", "tests/plain_build.rs"].map(|part| format!("{LEAKCHECK}/{part}"));
            let sources = leakcheck().into_iter().chain(tests).collect();
            return Ingredients { sources, made, packages: vec![package(LEAKCHECK, true)] };
        }
        if let Some(own) = &self.exercise {
            let crates = ["crates/stage", "crates/exercise"];
            let sources = own.iter().cloned().chain(crates.map(|one| format!("{one}/src"))).collect();
            let packages = [self.dir.as_str()].into_iter().chain(crates).map(|dir| package(dir, false)).collect();
            return Ingredients { sources, made, packages };
        }
        let mut sources = vec![self.dir.clone(), "crates/stage/src".to_owned()];
        let mut packages =
            vec![package(&self.dir, matches!(kind, Kind::Guards | Kind::Tables)), package("crates/stage", false)];
        match kind {
            Kind::Guards => {
                sources.extend(leakcheck());
                packages.push(package(LEAKCHECK, false));
            }
            // It pins tokio-console, and says how large the terminal is.
            Kind::Screens => sources.push("scripts/pair".to_owned()),
            Kind::Tables | Kind::Runs | Kind::Claims => {}
        }
        Ingredients { sources, made, packages }
    }

    /// Where the notes are, from the root.
    pub fn notes_file(&self) -> String {
        format!("{}/{NOTES}", self.dir)
    }

    /// What made each exhibit of this package; nothing before the first was made.
    ///
    /// # Errors
    /// When the file cannot be read; with the command that makes it anew.
    pub fn notes(&self, root: &Path) -> anyhow::Result<Notes> {
        let file = self.notes_file();
        match fs::read_to_string(root.join(&file)) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| anyhow::anyhow!("{file} is damaged: {error}: remove it and {}", self.renew())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Notes::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read {file}")),
        }
    }

    /// The command that makes them.
    pub fn renew(&self) -> String {
        renew(&self.name)
    }

    /// Checks that an exhibit is there, and was made from what is there now. Not of a recording, which has its own check.
    ///
    /// # Errors
    /// One line: the file, what changed, and which command renews it.
    pub fn check(&self, root: &Path, exhibit: &Exhibit) -> anyhow::Result<()> {
        let notes = self.notes(root)?;
        let now = self.ingredients(exhibit.kind).now(root)?;
        why_stale(root, exhibit, &notes, &now)
            .map_err(|why| anyhow::anyhow!("{} {why:#}: {}", exhibit.file, self.renew()))
    }
}

fn why_stale(root: &Path, exhibit: &Exhibit, notes: &Notes, now: &Now) -> anyhow::Result<()> {
    let contents = fs::read(root.join(&exhibit.file)).ok().context("is missing")?;
    let note = notes.get(&exhibit.file).context("has no note of what made it")?;
    note.made_by.check(now)?;
    ensure!(note.contents == hash_of(&contents), "was changed after it was made");
    Ok(())
}

fn tables(dir: &str, shown: &BTreeMap<String, String>) -> impl Iterator<Item = Exhibit> {
    let one = move |(file, command): (&String, &String)| Exhibit {
        file: format!("{dir}/{file}"),
        kind: Kind::Tables,
        command: Some(command.clone()),
    };
    shown.iter().map(one).collect::<Vec<_>>().into_iter()
}
