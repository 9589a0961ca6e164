//! Which scenarios there are. Found through `cargo metadata`; nothing else in the lab knows a name.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use stage::Statement;

use crate::cargo;

/// One scenario: a package under `scenarios/`.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Directory, package, prefix of its binaries, chapter, recording.
    pub name: String,
    /// What the service does, in one sentence.
    pub about: String,
    /// The package's folder.
    pub dir: PathBuf,
    /// What it states about itself.
    pub lab: Statement,
    /// `leak`, `fix`, the wrong turns, then the others by name.
    pub sides: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    description: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    metadata: Option<Tables>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Tables {
    lab: Option<Statement>,
}

impl Scenario {
    /// `unconsumed-send-leak`.
    pub fn bin(&self, side: &str) -> String {
        format!("{}-{side}", self.name)
    }

    /// The source of a side.
    pub fn source(&self, side: &str) -> PathBuf {
        self.dir.join(format!("{side}.rs"))
    }

    /// Checks that every asked side exists.
    ///
    /// # Errors
    /// Names the side that does not, and those that do.
    pub fn check_sides(&self, asked: &[String]) -> anyhow::Result<()> {
        match asked.iter().find(|side| !self.sides.contains(side)) {
            Some(side) => bail!("{} has no side `{side}`: it has {}", self.name, self.sides.join(", ")),
            None => Ok(()),
        }
    }
}

/// Every scenario of the workbook, by name.
///
/// # Errors
/// When cargo cannot read the workspace, or a package says what it must not.
pub async fn all(root: &Path) -> anyhow::Result<Vec<Scenario>> {
    let text = cargo::metadata(root).await?;
    let metadata: Metadata =
        serde_json::from_slice(&text).context("a scenario's [package.metadata.lab] is not as expected")?;
    let mut all: Vec<_> = metadata
        .packages
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(root.join("scenarios")))
        .map(scenario)
        .collect::<Result<_, _>>()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The scenario called `name`.
///
/// # Errors
/// When there is none; with the nearest name, where one is near.
pub async fn find(root: &Path, name: &str) -> anyhow::Result<Scenario> {
    let all = all(root).await?;
    let names: Vec<_> = all.iter().map(|scenario| scenario.name.clone()).collect();
    all.into_iter().find(|scenario| scenario.name == name).with_context(|| unknown(name, &names))
}

fn scenario(package: Package) -> anyhow::Result<Scenario> {
    let name = package.name;
    let lab = package.metadata.and_then(|tables| tables.lab);
    let prefix = format!("{name}-");
    let mut sides: Vec<_> = package
        .targets
        .iter()
        .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
        .filter_map(|target| target.name.strip_prefix(&prefix).map(str::to_owned))
        .collect();
    sides.sort_by_key(|side| match side.as_str() {
        "leak" => (0, side.clone()),
        "fix" => (1, side.clone()),
        _ if side.starts_with("wrong") => (2, side.clone()),
        _ => (3, side.clone()),
    });
    Ok(Scenario {
        about: package.description.unwrap_or_default(),
        dir: package.manifest_path.parent().context("a manifest has a folder")?.to_owned(),
        lab: lab.with_context(|| format!("{name}: Cargo.toml has no [package.metadata.lab]"))?,
        sides,
        name,
    })
}

/// `unknown scenario`, with the nearest name or the whole list.
fn unknown(name: &str, names: &[String]) -> String {
    let likeness = |other: &String| strsim::normalized_damerau_levenshtein(name, other);
    let best = names.iter().map(likeness).fold(0.5, f64::max);
    let near = |other: &&String| likeness(other) > best - 0.1 || other.contains(name);
    match names.iter().filter(near).collect::<Vec<_>>().as_slice() {
        [] => format!("there is no scenario `{name}`: there are {}", names.join(", ")),
        [one] => format!("there is no scenario `{name}`: did you mean `{one}`?"),
        several => {
            let list: Vec<_> = several.iter().map(|name| format!("`{name}`")).collect();
            format!("there is no scenario `{name}`: did you mean {}?", list.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unknown;

    fn check(name: &str, expected: &str) {
        let names = ["late-letter", "open-door", "open-drawer"].map(str::to_owned);
        assert!(unknown(name, &names).ends_with(expected), "{}", unknown(name, &names));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one_or_the_list() {
        check("late-lettre", "did you mean `late-letter`?");
        check("open", "did you mean `open-door` or `open-drawer`?");
        check("zebra", "there are late-letter, open-door, open-drawer");
    }
}
