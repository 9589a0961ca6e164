//! `{{#claim NAME FIELD}}`: what a general statement saw, from `book/recordings/claims.json`. The claims' programs write it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, anyhow, bail, ensure};
use evidence::{
    made_by::{check_day, hash, locked},
    words::grouped,
};
use serde::Deserialize;
use serde_json::Value;

use super::html;

const FILE: &str = "book/recordings/claims.json";
const RENEW: &str = "run `cargo lab record claims`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    claims: BTreeMap<String, Claim>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    seen: BTreeMap<String, Value>,
    made_by: MadeBy,
}

/// A claim names its sources by itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeBy {
    #[serde(rename = "program")]
    _program: String,
    files: BTreeSet<String>,
    hash: String,
    versions: BTreeMap<String, String>,
    recorded: String,
    #[serde(rename = "machine")]
    _machine: String,
}

impl Claims {
    /// Reads what the claims saw.
    ///
    /// # Errors
    /// When it is missing or damaged; with the command that makes it.
    pub(super) fn load(root: &Path) -> anyhow::Result<Self> {
        let text = match fs::read(root.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("{FILE} is missing: {RENEW}"),
            Err(error) => bail!("{FILE} cannot be read: {error}: {RENEW}"),
        };
        serde_json::from_slice(&text).map_err(|error| {
            let why = error.to_string().replace(char::is_control, " ");
            anyhow!("{FILE} is damaged: {why}: remove it and {RENEW}")
        })
    }

    /// One field of a claim, in words that Markdown leaves alone.
    ///
    /// # Errors
    /// Names what there is.
    pub(super) fn field(&self, name: &str, field: &str) -> anyhow::Result<String> {
        let claim = self.claims.get(name).with_context(|| format!("no claim `{name}` is recorded: {RENEW}"))?;
        match claim.seen.get(field) {
            None | Some(Value::Null) => {
                let known = claim.seen.keys().map(String::as_str).collect::<Vec<_>>();
                bail!("the claim `{name}` has no `{field}`, only {}", known.join(", "))
            }
            Some(Value::String(text)) => Ok(html::inline(text)),
            Some(Value::Number(n)) => Ok(n.as_u64().map_or(n.to_string(), grouped)),
            Some(Value::Bool(true)) => Ok("yes".to_owned()),
            Some(Value::Bool(false)) => Ok("no".to_owned()),
            Some(other) => Ok(html::inline(&other.to_string())),
        }
    }

    /// Checks that a claim was made by what is there now.
    ///
    /// # Errors
    /// One line: the claim, what changed, and which command renews it.
    pub(super) fn check(&self, root: &Path, name: &str) -> anyhow::Result<()> {
        let claim = self.claims.get(name).context("a claim is looked up before it is checked")?;
        claim.made_by.check(root).map_err(|why| anyhow!("the claim `{name}` {why:#}: {RENEW}"))
    }
}

impl MadeBy {
    fn check(&self, root: &Path) -> anyhow::Result<()> {
        check_day(&self.recorded)?;
        ensure!(self.hash == hash(root, &self.files).context("has lost a source")?, "is older than its sources");
        for (krate, locked) in locked(root, self.versions.keys().map(String::as_str))? {
            let with = &self.versions[&krate];
            ensure!(*with == locked, "was made with {krate} {with}, locked is {locked}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workbook with one claim, which saw a hostile word.
    fn workbook(word: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("book/recordings")).unwrap();
        fs::write(root.path().join("a.rs"), "a").unwrap();
        fs::write(root.path().join("Cargo.lock"), "[[package]]\nname = \"tokio\"\nversion = \"1.0.0\"\n").unwrap();
        let hash = hash(root.path(), &BTreeSet::from(["a.rs".to_owned()])).unwrap();
        let claim = serde_json::json!({ "seen": { "n": 1200, "word": word }, "made_by": { "program": "claims",
            "files": ["a.rs"], "hash": hash, "versions": { "tokio": "1.0.0" }, "recorded": "2026-11-27", "machine": "m" } });
        let json = serde_json::json!({ "claims": { "x": claim } });
        fs::write(root.path().join(FILE), json.to_string()).unwrap();
        root
    }

    fn problem(root: &tempfile::TempDir) -> String {
        format!("{:#}", Claims::load(root.path()).unwrap().check(root.path(), "x").unwrap_err())
    }

    #[test]
    fn a_claim_is_stale_when_a_file_or_a_version_changed() {
        let root = workbook("w");
        Claims::load(root.path()).unwrap().check(root.path(), "x").unwrap();
        fs::write(root.path().join("Cargo.lock"), "[[package]]\nname = \"tokio\"\nversion = \"1.0.1\"\n").unwrap();
        let versions = "the claim `x` was made with tokio 1.0.0, locked is 1.0.1: run `cargo lab record claims`";
        assert_eq!(problem(&root), versions);
        fs::write(root.path().join("a.rs"), "b").unwrap();
        assert_eq!(problem(&root), "the claim `x` is older than its sources: run `cargo lab record claims`");
    }

    #[test]
    fn what_is_not_recorded_is_named_with_what_is() {
        let claims = Claims::load(workbook("w").path()).unwrap();
        assert_eq!(claims.field("x", "n").unwrap(), "1,200");
        assert_eq!(claims.field("x", "m").unwrap_err().to_string(), "the claim `x` has no `m`, only n, word");
        assert!(claims.field("y", "n").unwrap_err().to_string().contains("run `cargo lab record claims`"));
        let missing = Claims::load(tempfile::tempdir().unwrap().path()).err().unwrap().to_string();
        assert_eq!(missing, format!("{FILE} is missing: {RENEW}"));
    }

    #[test]
    fn a_word_that_was_seen_is_no_markup() {
        let claims = Claims::load(workbook("<b>*a*_|b|[c](d)").path()).unwrap();
        let shown = claims.field("x", "word").unwrap();
        assert!(!shown.contains(['<', '*', '_', '|', '[']), "{shown}");
    }
}
