//! Where the book takes things from: recordings, the scenarios' files, captured screens.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::{Context, bail, ensure};

use super::{
    For,
    card::{self, Card, Listed},
};
use crate::{recording, series::Recording};

pub(super) struct Source {
    root: PathBuf,
    /// Where the chapters are.
    pub(super) book_src: PathBuf,
    whom: For,
    /// Recordings that were read; a chapter asks for the same one many times.
    recordings: RefCell<BTreeMap<String, Rc<Recording>>>,
}

impl Source {
    pub(super) fn new(root: &Path, src: &Path, whom: For) -> Self {
        Self { root: root.to_owned(), book_src: root.join(src), whom, recordings: RefCell::default() }
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
        self.ensure_known(scenario)?;
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
            serde_json::Value::Number(n) => Ok(n.as_u64().map_or(n.to_string(), crate::chart::grouped)),
            serde_json::Value::Bool(true) => Ok("yes".to_owned()),
            serde_json::Value::Bool(false) => Ok("no".to_owned()),
            other => Ok(other.to_string()),
        }
    }

    /// Every scenario, in the order of the book.
    pub(super) fn scenarios(&self) -> anyhow::Result<Vec<Listed>> {
        let folder = self.root.join("scenarios");
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).context("cannot list scenarios/")? {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        let summary = fs::read_to_string(self.book_src.join("SUMMARY.md")).context("cannot read SUMMARY.md")?;
        card::listed(&summary, names)
    }

    /// What a scenario says about itself for the card.
    pub(super) fn card(&self, scenario: &str) -> anyhow::Result<Card> {
        self.ensure_known(scenario)?;
        let file = format!("scenarios/{scenario}/Cargo.toml");
        let manifest = fs::read_to_string(self.root.join(&file)).with_context(|| format!("cannot read {file}"))?;
        card::parse(&manifest).context(file)
    }

    /// A side's file, as it is in the repository.
    pub(super) fn side(&self, scenario: &str, side: &str) -> anyhow::Result<String> {
        self.ensure_known(scenario)?;
        let file = side_file(scenario, side);
        fs::read_to_string(self.root.join(&file)).with_context(|| format!("cannot read {file}"))
    }

    /// A captured pair of consoles as text; that its picture exists is checked too.
    pub(super) fn screen(&self, scenario: &str) -> anyhow::Result<String> {
        self.ensure_known(scenario)?;
        let file = |ext| self.book_src.join(format!("screens/{scenario}.{ext}"));
        let text = fs::read_to_string(file("txt"));
        match text {
            Ok(text) if file("svg").is_file() => Ok(text),
            _ => bail!("screens/{scenario}.svg and .txt are not both there: run `cargo lab record {scenario}`"),
        }
    }

    fn ensure_known(&self, scenario: &str) -> anyhow::Result<()> {
        let plain = scenario.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let known = plain && self.root.join("scenarios").join(scenario).is_dir();
        ensure!(known, "no scenario `{scenario}`; `cargo lab list` shows those there are");
        Ok(())
    }
}

/// Where a side's file is, from the root.
pub(super) fn side_file(scenario: &str, side: &str) -> String {
    format!("scenarios/{scenario}/{side}.rs")
}

/// The first sentence of a file's `//!` comment.
pub(super) fn first_sentence(file: &str) -> anyhow::Result<String> {
    let doc = file.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph = doc.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    ensure!(!paragraph.is_empty(), "the file does not begin with a `//!` sentence");
    Ok(match paragraph.split_once(". ") {
        Some((sentence, _)) => sentence.to_owned() + ".",
        None => paragraph,
    })
}

/// The sentence behind `// LEAK:` or `// FIX:`, with the comment lines that continue it.
pub(super) fn marked_sentence(file: &str) -> Option<String> {
    let mut lines = file.lines().map(str::trim).skip_while(|line| marker(line).is_none());
    let first = lines.next().and_then(marker)?;
    let more = lines.map_while(|line| line.strip_prefix("// ")).filter(|line| !line.contains("ANCHOR"));
    Some(std::iter::once(first).chain(more).collect::<Vec<_>>().join(" "))
}

/// What follows the mark on a line that carries one.
pub(super) fn marker(line: &str) -> Option<&str> {
    ["// LEAK:", "// FIX:"].iter().find_map(|mark| line.split_once(mark)).map(|(_, rest)| rest.trim())
}

#[cfg(test)]
impl Source {
    /// The tests' own little book.
    pub(super) fn fixture() -> Self {
        Self::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture"), Path::new("book/src"), For::Readers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_recording_names_the_command_that_makes_it() {
        let error = |name: &str| Source::fixture().recording(name).unwrap_err().to_string();
        assert_eq!(error("no-such"), "no scenario `no-such`; `cargo lab list` shows those there are");
        assert_eq!(
            error("../unconsumed-send"),
            "no scenario `../unconsumed-send`; `cargo lab list` shows those there are"
        );
        assert_eq!(error("not-recorded"), "not-recorded has no recording: run `cargo lab record not-recorded`");
        assert_eq!(
            Source::fixture().screen("not-recorded").unwrap_err().to_string(),
            "screens/not-recorded.svg and .txt are not both there: run `cargo lab record not-recorded`"
        );
    }

    #[test]
    fn the_first_sentence_ends_at_its_full_stop() {
        assert!(first_sentence("use std;\n//! Late.").is_err());
        assert_eq!(first_sentence("//! One, in\n//! two lines. Two.\n//!\n//! Three.").unwrap(), "One, in two lines.");
        assert_eq!(first_sentence("//! Without an end\n\nfn main() {}").unwrap(), "Without an end");
    }

    #[test]
    fn a_marked_sentence_goes_on_over_comment_lines() {
        assert_eq!(marked_sentence("fn main() {}"), None);
        assert_eq!(
            marked_sentence("x();\n  // FIX: the receiver\n  // ends here.\n  drop(rx);\n  // Other.").unwrap(),
            "the receiver ends here."
        );
    }
}
