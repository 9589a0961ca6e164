//! What a kit needs that no run can tell: an exercise's `kit.toml`, a scenario's `book/kits/NAME.toml`.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Where those of the scenarios are, from the root.
pub(super) const FOLDER: &str = "book/kits";
/// That of an exercise, in its folder.
pub(super) const FILE: &str = "kit.toml";
/// Sentences of each level that fit the sheet.
const EXPECTED_MAX: usize = 4;

/// One such file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What a candidate is told: neutral, a paragraph.
    pub task: String,
    /// Rows of nouns: the first stands in the code, a seed picks another.
    pub nouns: Vec<Vec<String>>,
    /// What that which stays waits for.
    pub waits: String,
    /// Who holds the other end.
    pub holder: String,
    /// What ends it, if anything.
    pub ends: String,
    /// What a mid-level engineer reaches.
    pub mid: Vec<String>,
    /// What a senior engineer reaches besides.
    pub senior: Vec<String>,
    /// What a staff engineer reaches besides.
    pub staff: Vec<String>,
}

/// Where the file of a scenario or an exercise is, from the root.
pub fn file(name: &str, is_exercise: bool) -> String {
    if is_exercise { format!("exercises/{name}/{FILE}") } else { format!("{FOLDER}/{name}.toml") }
}

impl Facts {
    /// Reads `file`.
    ///
    /// # Errors
    /// One line, with the file.
    pub fn read(root: &Path, file: &str) -> anyhow::Result<Self> {
        let text =
            fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}: a kit needs it"))?;
        Self::parse(&text).with_context(|| file.to_owned())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let facts: Self =
            toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.message().replace('\n', " ")))?;
        let sentences =
            [("task", &facts.task), ("waits", &facts.waits), ("holder", &facts.holder), ("ends", &facts.ends)];
        for (key, said) in sentences {
            ensure!(!said.trim().is_empty(), "{key} says nothing");
        }
        for (key, said) in [("mid", &facts.mid), ("senior", &facts.senior), ("staff", &facts.staff)] {
            ensure!(
                (1..=EXPECTED_MAX).contains(&said.len()),
                "{key} has {} sentences: 1 to {EXPECTED_MAX}",
                said.len()
            );
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "task = 'Do.'\nnouns = [['a', 'b']]\nwaits = 'w'\nholder = 'h'\nends = 'e'\nmid = ['m']\nsenior = ['s']\nstaff = ['t']";

    #[test]
    fn a_file_that_says_too_little_or_too_much_is_refused_in_one_line() {
        assert!(Facts::parse(GOOD).is_ok());
        for (from, to, why) in [
            ("task = 'Do.'", "task = ' '", "task says nothing"),
            ("mid = ['m']", "mid = []", "mid has 0 sentences"),
            ("ends = 'e'\n", "", "missing field `ends`"),
            ("ends", "end", "unknown field `end`"),
        ] {
            let said = format!("{:#}", Facts::parse(&GOOD.replace(from, to)).unwrap_err());
            assert!(said.contains(why) && !said.contains('\n'), "{said}");
        }
    }
}
