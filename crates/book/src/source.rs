//! Where the book takes things from: recordings, the scenarios' files, other exhibits. What is missing, damaged or stale is told
//! once, however many directives ask for it.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use anyhow::{Context, ensure};
use evidence::{
    catalogue::{Card, Catalogue, Scenario, title_of},
    exercise::Exercise,
    exhibit::{self, Exhibit, Exhibits, Kind, LEAK_TEST},
    recording,
    series::Recording,
};

use super::{claims::Claims, glossary::Glossary, index, parts::Part, quiz::Quiz, symptoms::Symptoms};

/// What a book is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Any host, or none. What is published must be true: an exhibit that is missing or older than its sources fails the build.
    Readers,
    /// The lab's own server. Its pages say so, and then ask it for live runs; pages elsewhere make no request at all. An
    /// exhibit that is missing or stale is a line on the terminal: whoever edits a scenario wants to see the page.
    Lab,
    /// Machines that read what this one serves, and start nothing here. As for the lab, but no page asks for a run.
    Guests,
}

/// An exhibit that cannot be shown. Why is in [`Source::told`]; here is what stands in its place where somebody writes.
#[derive(Debug)]
pub(super) struct Told {
    /// The name to record.
    pub(super) name: String,
}

pub(super) struct Source {
    root: PathBuf,
    /// Where the chapters are.
    pub(super) book_src: PathBuf,
    catalogue: Catalogue,
    /// For the map.
    pub(super) parts: Vec<Part>,
    /// The questions of all pages.
    pub(super) quiz: Quiz,
    /// Recordings that were read; a chapter asks for the same one many times. None where there is nothing to show.
    recordings: RefCell<BTreeMap<String, Option<Rc<Recording>>>>,
    claims: OnceCell<Option<Claims>>,
    symptoms: OnceCell<Symptoms>,
    told: RefCell<BTreeSet<String>>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not recorded: {}", exhibit::renew(&self.name))
    }
}

impl std::error::Error for Told {}

impl Source {
    pub(super) fn new(root: &Path, src: &Path, catalogue: Catalogue, parts: Vec<Part>) -> Self {
        Self {
            root: root.to_owned(),
            book_src: root.join(src),
            catalogue,
            parts,
            quiz: Quiz::default(),
            recordings: RefCell::default(),
            claims: OnceCell::new(),
            symptoms: OnceCell::new(),
            told: RefCell::default(),
        }
    }

    /// The same, with the questions of its pages.
    pub(super) fn asking(self, quiz: Quiz) -> Self {
        Self { quiz, ..self }
    }

    /// What is missing, damaged or stale, each in one line with the command that renews it.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.borrow().iter().cloned().collect()
    }

    fn tell(&self, problem: &anyhow::Error) {
        self.told.borrow_mut().insert(format!("{problem:#}"));
    }

    pub(super) fn recording(&self, scenario: &str) -> anyhow::Result<Rc<Recording>> {
        self.recording_of(self.scenario(scenario)?)
    }

    /// The recording of a scenario, or of an exercise.
    pub(super) fn recording_of(&self, scenario: &Scenario) -> anyhow::Result<Rc<Recording>> {
        let name = &scenario.name;
        let known = self.recordings.borrow().get(name).cloned();
        let found = known.unwrap_or_else(|| {
            let read = self.read_recording(scenario).map_err(|error| self.tell(&error)).ok().map(Rc::new);
            self.recordings.borrow_mut().insert(name.clone(), read.clone());
            read
        });
        Ok(found.ok_or_else(|| Told { name: name.clone() })?)
    }

    /// A recording that has these sides. One that is new in the scenario is not recorded yet, which is told already.
    pub(super) fn recorded(&self, scenario: &str, sides: &[&str]) -> anyhow::Result<Rc<Recording>> {
        let (recording, one) = (self.recording(scenario)?, self.scenario(scenario)?);
        let is_new = |side: &&str| one.side(side).is_some() && !recording.sides.contains_key(*side);
        match sides.iter().find(|side| is_new(side)) {
            Some(_) => Err(Told { name: one.name.clone() }.into()),
            None => Ok(recording),
        }
    }

    fn read_recording(&self, scenario: &Scenario) -> anyhow::Result<Recording> {
        let recording = recording::load(&self.root, &scenario.name)?;
        // A stale one is shown where somebody writes; for readers nothing is, once it is told.
        if let Err(error) = recording::check_current(&self.root, scenario, &recording) {
            self.tell(&error);
        }
        Ok(recording)
    }

    /// An exhibit of a package, as it is in the repository.
    pub(super) fn shown(&self, name: &str, file: &str) -> anyhow::Result<String> {
        let exhibits = match name {
            LEAK_TEST => Exhibits::of_leak_test(&self.root)?,
            name => Exhibits::of(self.scenario(name)?),
        };
        self.exhibit(&exhibits, exhibits.find(file)?)
    }

    fn exhibit(&self, exhibits: &Exhibits, exhibit: &Exhibit) -> anyhow::Result<String> {
        if let Err(error) = exhibits.check(&self.root, exhibit) {
            self.tell(&error);
        }
        let text = fs::read_to_string(self.root.join(&exhibit.file));
        Ok(text.map_err(|_| Told { name: exhibits.name.clone() })?)
    }

    /// One field of what a claim saw, in words.
    pub(super) fn claim(&self, name: &str, field: &str) -> anyhow::Result<String> {
        let claims = self.claims.get_or_init(|| Claims::load(&self.root).map_err(|error| self.tell(&error)).ok());
        let claims = claims.as_ref().ok_or_else(|| Told { name: "claims".into() })?;
        let words = claims.field(name, field)?;
        if let Err(error) = claims.check(&self.root, name) {
            self.tell(&error);
        }
        Ok(words)
    }

    /// Every scenario, in the order of the book.
    pub(super) fn scenarios(&self) -> anyhow::Result<&[Scenario]> {
        self.catalogue.whole()
    }

    /// The scenario or the control called `name`.
    pub(super) fn scenario(&self, name: &str) -> anyhow::Result<&Scenario> {
        self.catalogue.find(name)
    }

    /// A page as it is written.
    pub(super) fn page(&self, file: &str) -> anyhow::Result<String> {
        let path = self.root.join("book/src").join(file);
        fs::read_to_string(path).with_context(|| format!("cannot read book/src/{file}"))
    }

    /// Every control, by name.
    pub(super) fn controls(&self) -> &[Scenario] {
        &self.catalogue.controls
    }

    /// The exercise called `name`.
    pub(super) fn exercise(&self, name: &str) -> anyhow::Result<&Exercise> {
        self.catalogue.find_exercise(name)
    }

    /// The workbook's folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Every exercise, in the order of the book.
    pub(super) fn exercises(&self) -> &[Exercise] {
        &self.catalogue.exercises
    }

    /// A file of an exercise, as it is in the repository.
    pub(super) fn exercise_file(&self, exercise: &Exercise, file: &str) -> anyhow::Result<String> {
        let path = exercise.scenario.dir.join(file);
        fs::read_to_string(path).with_context(|| format!("cannot read exercises/{}/{file}", exercise.name()))
    }

    /// What a scenario says about itself for the card.
    pub(super) fn card(&self, scenario: &Scenario) -> anyhow::Result<Card> {
        let file = format!("scenarios/{}/Cargo.toml", scenario.name);
        let missing =
            || format!("{file} has no [package.metadata.card] with a `question` and `symptoms`: see scripts/template");
        scenario.card.clone().with_context(missing)
    }

    /// All terms of the book.
    pub(super) fn glossary(&self) -> anyhow::Result<Glossary> {
        Glossary::read(&self.root)
    }

    /// A file of a scenario.
    pub(super) fn file(&self, scenario: &str, file: &str) -> anyhow::Result<String> {
        let dir = self.scenario(scenario)?.folder();
        let is_inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(is_inside, "`{file}` is no file of the scenario");
        fs::read_to_string(self.root.join(&dir).join(file)).with_context(|| format!("cannot read {dir}/{file}"))
    }

    /// What the index knows beside the scenarios. What is wrong with it is told, and left out.
    pub(super) fn symptoms(&self) -> &Symptoms {
        self.symptoms.get_or_init(|| {
            let cards = self.catalogue.scenarios.iter().filter_map(|one| one.card.as_ref());
            let taken: Vec<_> = cards.flat_map(|card| card.symptoms.values().flatten().cloned()).collect();
            let (symptoms, faults) = Symptoms::read(&self.root, &self.book_src, &index::columns(), &taken);
            self.told.borrow_mut().extend(faults);
            symptoms
        })
    }

    /// The title of a page, as the book lists it.
    pub(super) fn title(&self, page: &str) -> String {
        let listed = self.parts.iter().flat_map(|part| &part.chapters).find(|listed| listed.page == page);
        let of_scenario = || self.scenario(page).ok().map(|one| one.title().to_owned());
        listed.map(|listed| listed.title.clone()).or_else(of_scenario).unwrap_or_else(|| title_of(page))
    }

    /// A side's file, as it is in the repository.
    pub(super) fn side(&self, scenario: &str, side: &str) -> anyhow::Result<String> {
        let file = side_file(self.scenario(scenario)?, side);
        fs::read_to_string(self.root.join(&file)).with_context(|| format!("cannot read {file}"))
    }

    /// A captured pair of consoles as text; its picture is checked too.
    pub(super) fn screen(&self, scenario: &str) -> anyhow::Result<String> {
        let exhibits = Exhibits::of(self.scenario(scenario)?);
        let mut text = None;
        for exhibit in exhibits.all.iter().filter(|one| one.kind == Kind::Screens) {
            let contents = self.exhibit(&exhibits, exhibit)?;
            text = text.or_else(|| exhibit.file.ends_with(".txt").then_some(contents));
        }
        text.context("no screen is kept as text")
    }

    /// Checks that a file which a page includes is a source: what is made has a directive of its own.
    pub(super) fn check_include(&self, file: &Path) -> anyhow::Result<()> {
        // Where nothing is, there is a better message.
        let Ok(file) = file.canonicalize() else { return Ok(()) };
        let inside = |folder| self.root.join(folder).canonicalize().is_ok_and(|folder| file.starts_with(folder));
        ensure!(
            file.extension().is_some_and(|extension| extension == "rs")
                || !["scenarios", "controls", "crates"].iter().any(inside),
            "only sources are included: what a program made is shown with `{{{{#shown NAME FILE}}}}`, and known to its Cargo.toml"
        );
        Ok(())
    }
}

/// Where a side's file is, from the root.
pub(super) fn side_file(scenario: &Scenario, side: &str) -> String {
    format!("{}/{side}.rs", scenario.folder())
}

#[cfg(test)]
impl Source {
    /// The tests' own little book.
    pub(super) fn fixture() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/fixture");
        let quiz = Quiz::read(&root, &["unconsumed-send".to_owned()], 1);
        Self::of(&root).asking(quiz)
    }

    /// The book itself.
    pub(super) fn workbook() -> Self {
        Self::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
    }

    fn of(root: &Path) -> Self {
        Self::new(root, Path::new("book/src"), Catalogue::read(root).unwrap(), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_scenario_is_no_path_either() {
        let error = |name: &str| Source::fixture().recording(name).unwrap_err().to_string();
        assert_eq!(error("no-such"), "there is no scenario `no-such`: there are unconsumed-send");
        assert!(error("../unconsumed-send").starts_with("there is no scenario `../unconsumed-send`"));
    }
}
