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
/// The folder of the controls, from the root.
pub(crate) const CONTROLS: &str = "controls";
/// The side of a control that looks like a leak.
pub const CONTROL: &str = "control";

/// One scenario: a package under `scenarios/`, or a control: one under `controls/`.
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
    /// Of a control, what tells it from its leaking twin.
    pub control: Option<Control>,
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

/// What tells a service that looks like a leak from one that leaks: the table `[package.metadata.control]`. Phrases for the cells of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// What it looks like, to whom watches it for a minute.
    pub looks: String,
    /// What to measure.
    pub measure: String,
    /// How long to wait before the second look.
    pub wait: String,
    /// What decides.
    pub decides: String,
    /// Gauges to draw besides the one that tells.
    #[serde(default)]
    pub beside: Vec<String>,
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
    control: Option<Control>,
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
            let read = fs::read_to_string(dir.join(&bin.path));
            let source = match (within, side) {
                // The reader's own copy hides no exercise, whatever becomes of it: who runs it says what is wrong with it.
                ("exercises", MINE) => read.unwrap_or_default(),
                _ => read.with_context(|| format!("cannot read {within}/{name}/{}", bin.path.display()))?,
            };
            sides.push(Side::read(side, &source));
        }
        sides.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        let is_control = within == CONTROLS;
        ensure!(
            is_control == metadata.control.is_some(),
            "{file}: [package.metadata.control] belongs to packages in {CONTROLS}/, and each of them has it"
        );
        Ok(Self {
            name: package,
            title: None,
            about: description,
            dir: dir.to_owned(),
            statement: metadata.lab,
            card: metadata.card,
            control: metadata.control,
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

    /// True for a service that looks like a leak and is none, with its leaking twin.
    pub fn is_control(&self) -> bool {
        self.control.is_some()
    }

    /// The two sides that are shown together: the leak, and what does not leak.
    pub fn pair(&self) -> [&'static str; 2] {
        ["leak", if self.is_control() { CONTROL } else { "fix" }]
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
