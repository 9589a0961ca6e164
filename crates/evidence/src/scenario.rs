//! One scenario or the scenario of an exercise: what its package says of itself, and what its sides are.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use stage::Statement;

use crate::{side::Side, topic::Topic};

/// The reader's copy of an exercise.
const MINE: &str = "mine";

/// One scenario: a package under `scenarios/`.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Directory, package, prefix of its binaries, chapter, recording.
    pub name: String,
    /// The chapter's title; none where `SUMMARY.md` has no line for it.
    pub title: Option<String>,
    /// What the service does, in one sentence.
    pub about: String,
    /// The package's folder.
    pub dir: PathBuf,
    /// What it states about itself.
    pub statement: Statement,
    /// What it says for the card and the index of symptoms.
    pub card: Option<Card>,
    /// Tables that a page shows, and the cargo command that makes each: `[package.metadata.shown]`.
    pub shown: BTreeMap<String, String>,
    /// `leak`, `fix`, the wrong turns, then the others by name.
    pub sides: Vec<Side>,
}

/// What nobody can measure: the table `[package.metadata.card]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What to ask first, of the code.
    pub question: String,
    /// What somebody sees or is told before they know that it is a leak, under the heading where they look for it.
    pub symptoms: BTreeMap<Topic, Vec<String>>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    description: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    lab: Statement,
    card: Option<Card>,
    #[serde(default)]
    shown: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
    path: PathBuf,
}

impl Scenario {
    /// Reads the package `name` in `dir`, a folder of `within`.
    ///
    /// # Errors
    /// When its manifest or one of its sides cannot be read: with the file.
    pub(crate) fn read(within: &str, name: &str, dir: &Path) -> anyhow::Result<Self> {
        let file = format!("{within}/{name}/Cargo.toml");
        let text = fs::read_to_string(dir.join("Cargo.toml")).with_context(|| format!("cannot read {file}"))?;
        let manifest: Manifest = toml::from_str(&text).with_context(|| file.clone())?;
        let Package { name: package, description, metadata } = manifest.package;
        ensure!(package == name, "{file}: the package must be called {name}, as its folder is");
        if let Some(card) = &metadata.card {
            let filled = !card.question.is_empty() && card.symptoms.values().any(|remarks| !remarks.is_empty());
            ensure!(filled, "{file}: [package.metadata.card] is empty");
        }
        let mut sides = Vec::new();
        for bin in &manifest.bin {
            let Some(side) = bin.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')) else { continue };
            let source = fs::read_to_string(dir.join(&bin.path)).with_context(|| {
                format!("cannot read {within}/{name}/{}{}", bin.path.display(), anew(within, name, side))
            })?;
            sides.push(Side::read(side, &source));
        }
        sides.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        Ok(Self {
            name: package,
            title: None,
            about: description,
            dir: dir.to_owned(),
            statement: metadata.lab,
            card: metadata.card,
            shown: metadata.shown,
            sides,
        })
    }

    /// The package's folder, from the root.
    pub fn folder(&self) -> String {
        let within = self
            .dir
            .parent()
            .and_then(Path::file_name)
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        format!("{within}/{}", self.name)
    }

    /// True for the scenario of an exercise.
    pub fn is_exercise(&self) -> bool {
        self.folder().starts_with("exercises/")
    }

    /// The sides that are run and recorded: of an exercise all but the reader's copy.
    pub fn recorded_sides(&self) -> Vec<String> {
        let is_recorded = |name: &String| !(self.is_exercise() && name == MINE);
        self.side_names().into_iter().filter(is_recorded).collect()
    }

    /// `unconsumed-send-leak`.
    pub fn bin(&self, side: &str) -> String {
        format!("{}-{side}", self.name)
    }

    /// The file of a side.
    pub fn source(&self, side: &str) -> PathBuf {
        self.dir.join(format!("{side}.rs"))
    }

    /// The side called `name`.
    pub fn side(&self, name: &str) -> Option<&Side> {
        self.sides.iter().find(|side| side.name == name)
    }

    /// The names of all sides, in order.
    pub fn side_names(&self) -> Vec<String> {
        self.sides.iter().map(|side| side.name.clone()).collect()
    }

    /// The chapter's title, or the name where it has no chapter yet.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// Checks that every asked side exists, and none is asked for twice.
    ///
    /// # Errors
    /// Names the side that does not, and those that do.
    pub fn check_sides(&self, asked: &[String]) -> anyhow::Result<()> {
        ensure!(!asked.is_empty(), "no side is named: {} has {}", self.name, self.side_names().join(", "));
        if let Some(side) = asked.iter().find(|side| self.side(side).is_none()) {
            bail!("{} has no side `{side}`: it has {}", self.name, self.side_names().join(", "));
        }
        match asked.iter().enumerate().find(|(i, side)| asked[..*i].contains(side)) {
            Some((_, twice)) => bail!("the side `{twice}` is named twice: name each side once"),
            None => Ok(()),
        }
    }
}

/// What to do where a side is missing: of an exercise the reader's own copy, which is the one that somebody may move away.
fn anew(within: &str, name: &str, side: &str) -> String {
    match (within, side) {
        ("exercises", MINE) => format!(" (begin anew: `cp exercises/{name}/start.rs exercises/{name}/{MINE}.rs`)"),
        _ => String::new(),
    }
}
