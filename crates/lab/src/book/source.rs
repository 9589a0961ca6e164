//! Where the book takes things from: recordings, the scenarios' files, captured screens.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::{Context, bail, ensure};

use crate::{
    catalogue::{Card, Catalogue, Scenario},
    recording,
    series::Recording,
    words::grouped,
};

/// What a book is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Any host, or none. What is published must be true: a recording that is older than its scenario fails the build.
    Readers,
    /// The lab's own server. Its pages say so, and then ask it for live runs; pages elsewhere make no request at all. A
    /// recording that is older than its scenario is a line on the terminal: whoever edits one wants to see the page.
    Lab,
}

pub(super) struct Source {
    root: PathBuf,
    /// Where the chapters are.
    pub(super) book_src: PathBuf,
    whom: For,
    catalogue: Catalogue,
    /// Recordings that were read; a chapter asks for the same one many times.
    recordings: RefCell<BTreeMap<String, Rc<Recording>>>,
}

impl Source {
    pub(super) fn new(root: &Path, src: &Path, whom: For, catalogue: Catalogue) -> Self {
        Self { root: root.to_owned(), book_src: root.join(src), whom, catalogue, recordings: RefCell::default() }
    }

    pub(super) fn recording(&self, scenario: &str) -> anyhow::Result<Rc<Recording>> {
        if let Some(recording) = self.recordings.borrow().get(scenario) {
            return Ok(recording.clone());
        }
        let recording = Rc::new(self.read_recording(scenario)?);
        self.recordings.borrow_mut().insert(scenario.to_owned(), recording.clone());
        Ok(recording)
    }

    fn read_recording(&self, scenario: &str) -> anyhow::Result<Recording> {
        self.scenario(scenario)?;
        let recording = recording::load(&self.root, scenario)?;
        match (recording::check_current(&self.root, &recording), self.whom) {
            (Ok(()), _) => {}
            (Err(error), For::Readers) => return Err(error),
            (Err(error), For::Lab) => eprintln!("warning: {error:#}"),
        }
        Ok(recording)
    }

    /// One field of what a claim saw, in words. The claims' programs write the file themselves.
    pub(super) fn claim(&self, name: &str, field: &str) -> anyhow::Result<String> {
        let repair = "run `cargo run --bin claims -- --record`, or `claims-console` for what the console shows";
        let json = fs::read_to_string(self.root.join("book/recordings/claims.json")).context(repair)?;
        let recorded: serde_json::Value = serde_json::from_str(&json).context(repair)?;
        let claim = &recorded["claims"][name]["seen"];
        ensure!(claim.is_object(), "no claim `{name}` is recorded: {repair}");
        match &claim[field] {
            serde_json::Value::Null => bail!("the claim `{name}` has no `{field}`"),
            serde_json::Value::String(text) => Ok(text.clone()),
            serde_json::Value::Number(n) => Ok(n.as_u64().map_or(n.to_string(), grouped)),
            serde_json::Value::Bool(true) => Ok("yes".to_owned()),
            serde_json::Value::Bool(false) => Ok("no".to_owned()),
            other => Ok(other.to_string()),
        }
    }

    /// Every scenario, in the order of the book.
    pub(super) fn scenarios(&self) -> anyhow::Result<&[Scenario]> {
        self.catalogue.whole()
    }

    /// The scenario called `name`.
    pub(super) fn scenario(&self, name: &str) -> anyhow::Result<&Scenario> {
        self.catalogue.find(name)
    }

    /// What a scenario says about itself for the card.
    pub(super) fn card(&self, scenario: &Scenario) -> anyhow::Result<Card> {
        let file = format!("scenarios/{}/Cargo.toml", scenario.name);
        let missing =
            || format!("{file} has no [package.metadata.card] with a `question` and `symptoms`: see scripts/template");
        scenario.card.clone().with_context(missing)
    }

    /// A side's file, as it is in the repository.
    pub(super) fn side(&self, scenario: &str, side: &str) -> anyhow::Result<String> {
        self.scenario(scenario)?;
        let file = side_file(scenario, side);
        fs::read_to_string(self.root.join(&file)).with_context(|| format!("cannot read {file}"))
    }

    /// A captured pair of consoles as text; that its picture exists is checked too.
    pub(super) fn screen(&self, scenario: &str) -> anyhow::Result<String> {
        self.scenario(scenario)?;
        let file = |ext| self.book_src.join(format!("screens/{scenario}.{ext}"));
        let text = fs::read_to_string(file("txt"));
        match text {
            Ok(text) if file("svg").is_file() => Ok(text),
            _ => bail!("screens/{scenario}.svg and .txt are not both there: run `cargo lab record {scenario}`"),
        }
    }
}

/// Where a side's file is, from the root.
pub(super) fn side_file(scenario: &str, side: &str) -> String {
    format!("scenarios/{scenario}/{side}.rs")
}

#[cfg(test)]
impl Source {
    /// The tests' own little book.
    pub(super) fn fixture() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture");
        let catalogue = Catalogue::read(&root).unwrap();
        Self::new(&root, Path::new("book/src"), For::Readers, catalogue)
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
