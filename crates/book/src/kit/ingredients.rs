//! What a kit is made of, read once: the service and its world, the harness, the workbook's versions, and what was recorded.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, ensure};
use evidence::{
    catalogue::{Catalogue, Scenario},
    exercise::{Exercise, SOLUTION, START},
    recording,
    series::Recording,
    side::Role,
};
use serde::Deserialize;

use super::facts::{self, Facts};
use crate::{directive, questions, source::Source};

/// Files by their paths, with slashes.
pub type Files = BTreeMap<String, String>;

/// Everything that is read for a kit.
pub struct Ingredients {
    /// Its load, gauges and sides.
    pub scenario: Scenario,
    /// What it states besides, where it is an exercise.
    pub exercise: Option<Exercise>,
    /// What no run can tell.
    pub facts: Facts,
    /// The files of its package.
    pub package: Files,
    /// The sources of `crates/stage` and `crates/exercise`, with their manifests, by `stage/src/lib.rs`.
    pub harness: Files,
    /// How its sources are formatted.
    pub format: String,
    /// The manifest of the workbook.
    pub manifest: toml::Table,
    /// Its `Cargo.lock`.
    pub lock: String,
    /// What may follow the diagnosis.
    pub questions: Vec<Ask>,
    /// The recorded runs, or why there are none.
    pub recording: Result<Recording, String>,
    /// The names of all scenarios and exercises: none may stand in a kit.
    pub names: Vec<String>,
}

/// A question with its key.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Markdown.
    pub ask: String,
    /// The right option.
    pub answer: String,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    ask: String,
    /// The kit asks for these two itself.
    diagnosis: Option<String>,
    #[serde(rename = "option")]
    options: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    right: bool,
    text: String,
    reason: String,
}

impl Ingredients {
    /// Reads what the kit of the scenario or exercise `name` is made of.
    ///
    /// # Errors
    /// When there is no such name, or a file is missing or damaged: one line.
    pub fn read(root: &Path, name: &str) -> anyhow::Result<Self> {
        let catalogue = Catalogue::read(root)?;
        let exercise = catalogue.find_exercise(name).ok().cloned();
        let scenario = match &exercise {
            Some(exercise) => exercise.scenario.clone(),
            None => find(&catalogue, name)?.clone(),
        };
        ensure!(!scenario.is_control(), "{name} is a control, and has no kit: `cargo lab pair {name}` shows it");
        let names = catalogue.scenarios.iter().map(|one| one.name.clone());
        let names = names.chain(catalogue.exercises.iter().map(|one| one.name().to_owned())).collect();
        let manifest = fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
        let mut harness = sources(root, "stage")?;
        harness.extend(sources(root, "exercise")?);
        Ok(Self {
            facts: Facts::read(root, &facts::file(name, exercise.is_some()))?,
            package: files(&scenario.dir, "")?,
            harness,
            format: format(root, &scenario.dir),
            manifest: manifest.parse().context("Cargo.toml")?,
            lock: fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?,
            questions: asked(root, catalogue, name, exercise.is_some())?,
            recording: recording::load(root, name).map_err(|error| format!("{error:#}")),
            scenario,
            exercise,
            names,
        })
    }

    /// The side that is given to a candidate.
    pub fn given(&self) -> &'static str {
        if self.exercise.is_some() { START } else { "leak" }
    }

    /// The side whose statement is the goal.
    pub fn goal(&self) -> &'static str {
        if self.exercise.is_some() { SOLUTION } else { "fix" }
    }

    /// The sides that are accepted, the goal's first.
    pub fn accepted(&self) -> Vec<&str> {
        let of_exercise = self.exercise.as_ref().map(|exercise| exercise.solutions().collect::<Vec<_>>());
        let others = || self.scenario.sides.iter().filter(|side| matches!(side.role, Role::Fix | Role::Other));
        of_exercise.unwrap_or_else(|| others().map(|side| side.name.as_str()).collect())
    }
}

/// The scenario `name`; what is said of an unknown name knows of exercises too.
fn find<'a>(catalogue: &'a Catalogue, name: &str) -> anyhow::Result<&'a Scenario> {
    catalogue.find(name).map_err(|error| match catalogue.find_exercise(name) {
        Err(other) if other.to_string().contains("did you mean") => other,
        _ => error,
    })
}

/// Every file below a folder that can be part of a program, by its path in it.
fn files(dir: &Path, prefix: &str) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ending = path.extension().unwrap_or_default();
        if path.is_dir() {
            files.extend(self::files(&path, &format!("{prefix}{name}/"))?);
        } else if ["rs", "html", "toml"].iter().any(|wanted| ending == *wanted) {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(format!("{prefix}{name}"), text);
        }
    }
    Ok(files)
}

/// The nearest `rustfmt.toml` above a folder, without its comments.
fn format(root: &Path, dir: &Path) -> String {
    let folders = dir.ancestors().take_while(|folder| folder.starts_with(root));
    let text =
        folders.filter_map(|folder| fs::read_to_string(folder.join("rustfmt.toml")).ok()).next().unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

fn sources(root: &Path, krate: &str) -> anyhow::Result<Files> {
    let all = files(&root.join("crates").join(krate), &format!("{krate}/"))?;
    let is_part = |path: &str| path.starts_with(&format!("{krate}/src/")) || path == format!("{krate}/Cargo.toml");
    Ok(all.into_iter().filter(|(path, _)| is_part(path)).collect())
}

/// The questions of a page with what was recorded filled in. One that speaks of what nobody recorded is left out.
fn asked(root: &Path, catalogue: Catalogue, name: &str, is_exercise: bool) -> anyhow::Result<Vec<Ask>> {
    let file = if is_exercise { format!("exercises/{name}/questions.toml") } else { questions::file(name) };
    let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {file}"))?;
    let read: Questions = toml::from_str(&text).map_err(|error| anyhow::anyhow!("{file}: {}", error.message()))?;
    let source = Source::new(root, Path::new("book/src"), catalogue, Vec::new());
    let page = Path::new(name).with_extension("md");
    let filled = |text: &str| {
        let (text, problems) = directive::fill_in(&source, &page, text);
        (problems.is_empty() && !text.contains(directive::NOT_YET)).then_some(text)
    };
    let answered = |question: Question| {
        let right = question.options.into_iter().find(|one| one.right)?;
        Some(Ask { ask: filled(&question.ask)?, answer: filled(&right.text)?, reason: filled(&right.reason)? })
    };
    Ok(read.question.into_iter().filter(|one| one.diagnosis.is_none()).filter_map(answered).collect())
}
