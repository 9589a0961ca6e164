//! What made a thing that a page shows: a hash of its sources, the locked versions of the crates it stands on, a day and a
//! machine. Reads files and compares; `cargo lab record` makes things.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What made a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeBy {
    /// Of the sources, as [`hash`] has it.
    pub hash: String,
    /// Locked versions of the crates that decide what is seen; rustc's too, which is told and not checked.
    pub versions: BTreeMap<String, String>,
    /// The day, `2026-11-20`.
    pub recorded: String,
    /// The machine: system, cores.
    pub machine: String,
}

/// What a thing is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingredients {
    /// Files and folders, from the root; of a folder all that is in it.
    pub sources: Vec<String>,
    /// Files in these folders that are made, and make nothing.
    pub made: BTreeSet<String>,
    /// Packages, from the root; the crates that each asks for are ingredients.
    pub packages: Vec<Package>,
}

/// A package whose dependencies count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its folder.
    pub dir: String,
    /// True where its development dependencies count too.
    pub dev: bool,
}

/// The ingredients as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// Of the sources, as [`hash`] has it.
    pub hash: String,
    /// Locked versions of the crates that decide what is seen.
    pub versions: BTreeMap<String, String>,
}

impl Ingredients {
    /// Reads the ingredients.
    ///
    /// # Errors
    /// When a source, a manifest or `Cargo.lock` cannot be read.
    pub fn now(&self, root: &Path) -> anyhow::Result<Now> {
        Ok(Now { hash: hash(root, &self.files(root)?)?, versions: versions(root, &self.packages)? })
    }

    /// Every file among the sources, from the root.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn files(&self, root: &Path) -> anyhow::Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        for source in &self.sources {
            collect(root, Path::new(source), &self.made, &mut files)?;
        }
        Ok(files)
    }
}

impl MadeBy {
    /// Holds what made a thing against what would make it now.
    ///
    /// # Errors
    /// Says what changed.
    pub fn check(&self, now: &Now) -> anyhow::Result<()> {
        check_day(&self.recorded)?;
        ensure!(self.hash == now.hash, "is older than its sources");
        self.check_versions(&now.versions)
    }

    /// Holds the versions against those that are locked.
    ///
    /// # Errors
    /// Names the crate that changed.
    pub fn check_versions(&self, locked: &BTreeMap<String, String>) -> anyhow::Result<()> {
        for (krate, locked) in locked {
            let with = self.versions.get(krate).map_or("none", String::as_str);
            ensure!(with == locked, "was made with {krate} {with}, locked is {locked}");
        }
        Ok(())
    }
}

/// Checks that a day is one: `2026-11-20`.
///
/// # Errors
/// When it is none.
pub fn check_day(day: &str) -> anyhow::Result<()> {
    let parts: Vec<_> = day.split('-').collect();
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
    };
    let is_day = match parts.as_slice() {
        [year, month, day] => number(year, 4).zip(number(month, 2)).zip(number(day, 2)).is_some_and(|((y, m), d)| {
            let leap = y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
            let longest = match m {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (1..=12).contains(&m) && (1..=longest).contains(&d)
        }),
        _ => false,
    };
    ensure!(is_day, "was recorded on `{}`, which is no day such as 2026-11-20", day.escape_debug());
    Ok(())
}

/// SHA-256 over path, a zero byte, contents and a zero byte of each file, in the order of their paths; the first eight bytes.
/// The claims are hashed alike.
///
/// # Errors
/// Names the file that cannot be read.
pub fn hash(root: &Path, files: &BTreeSet<String>) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        let contents = fs::read(root.join(file)).with_context(|| format!("cannot read {file}"))?;
        [file.as_bytes(), &[0], &contents, &[0]].into_iter().for_each(|part| hash.update(part));
    }
    Ok(hex(hash))
}

/// The hash of one text.
pub fn hash_of(contents: &[u8]) -> String {
    hex(Sha256::new().chain_update(contents))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Adds a file, or every file of a folder, from the root. Not what was made, nor hidden files, nor another workspace.
fn collect(root: &Path, at: &Path, made: &BTreeSet<String>, files: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let path = root.join(at);
    let name = slashed(at);
    if !path.is_dir() {
        if !made.contains(&name) {
            files.insert(name);
        }
        return Ok(());
    }
    for entry in fs::read_dir(&path).with_context(|| format!("cannot read {name}"))? {
        let entry = entry.with_context(|| format!("cannot read {name}"))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        // A fuzzer's package, say: it has its own lock file and its own output.
        if !hidden && !entry.path().join("Cargo.lock").exists() {
            collect(root, &at.join(entry.file_name()), made, files)?;
        }
    }
    Ok(())
}

/// A path from the root, the same on every system.
pub fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    /// None for the workspace's own.
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// The locked versions of what the packages ask for, as each of them gets it. Not of the workspace's own: their sources count.
fn versions(root: &Path, packages: &[Package]) -> anyhow::Result<BTreeMap<String, String>> {
    let lock = lock(root)?;
    let mut versions = BTreeMap::new();
    for package in packages {
        let (name, wanted) = wanted(root, package)?;
        let own = lock.package.iter().find(|one| one.name == name && one.source.is_none());
        let own = own.with_context(|| format!("Cargo.lock does not know {name}: run `cargo lab` once"))?;
        for entry in &own.dependencies {
            let mut words = entry.split(' ');
            let (Some(krate), version) = (words.next(), words.next()) else { continue };
            let is_it = |one: &&Locked| one.name == krate && version.is_none_or(|version| one.version == version);
            let Some(found) = lock.package.iter().find(is_it) else { bail!("Cargo.lock has no {entry}") };
            if wanted.contains(krate) && found.source.is_some() {
                versions.insert(krate.to_owned(), found.version.clone());
            }
        }
    }
    Ok(versions)
}

/// The locked versions of crates by name.
///
/// # Errors
/// When one is locked never or twice, or `Cargo.lock` cannot be read.
pub fn locked<'a>(root: &Path, crates: impl Iterator<Item = &'a str>) -> anyhow::Result<BTreeMap<String, String>> {
    let lock = lock(root)?;
    let one = |name: &str| match lock.package.iter().filter(|one| one.name == name).collect::<Vec<_>>().as_slice() {
        [one] => Ok((name.to_owned(), one.version.clone())),
        _ => bail!("Cargo.lock has not exactly one {name}"),
    };
    crates.map(one).collect()
}

/// Every locked crate with its version; one may be locked in several. None where nothing is locked: a book alone, without programs.
///
/// # Errors
/// When `Cargo.lock` cannot be read.
pub fn all_locked(root: &Path) -> anyhow::Result<BTreeSet<(String, String)>> {
    if !root.join("Cargo.lock").exists() {
        return Ok(BTreeSet::new());
    }
    Ok(lock(root)?.package.into_iter().map(|one| (one.name, one.version)).collect())
}

fn lock(root: &Path) -> anyhow::Result<Lock> {
    let text = fs::read_to_string(root.join("Cargo.lock")).context("there is no Cargo.lock: run `cargo lab` once")?;
    toml::from_str(&text).context("Cargo.lock cannot be read")
}

/// A package's name and the names of the crates that it asks for.
fn wanted(root: &Path, package: &Package) -> anyhow::Result<(String, BTreeSet<String>)> {
    let file = PathBuf::from(&package.dir).join("Cargo.toml");
    let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest: toml::Table = toml::from_str(&text).with_context(|| file.display().to_string())?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    let tables: &[&str] = if package.dev { &["dependencies", "dev-dependencies"] } else { &["dependencies"] };
    let names =
        tables.iter().filter_map(|table| manifest.get(*table)?.as_table()).flat_map(|table| table.keys().cloned());
    Ok((name.with_context(|| format!("{} names no package", file.display()))?.to_owned(), names.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workbook(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn hash_with(files: &[(&str, &str)]) -> String {
        let made = BTreeSet::from(["a/table.md".to_owned()]);
        let ingredients = Ingredients { sources: vec!["a".into()], made, packages: Vec::new() };
        let files = [&[("Cargo.lock", ""), ("a/leak.rs", "x")], files].concat();
        ingredients.now(workbook(&files).path()).unwrap().hash
    }

    #[test]
    fn the_hash_tells_contents_names_and_folders_apart() {
        let plain = hash_with(&[]);
        assert_eq!(plain, hash_with(&[]));
        let others = [
            hash_with(&[("a/leak.rs", "y")]),
            hash_with(&[("a/fix.rs", "x")]),
            hash_with(&[("a/tests/leak.rs", "x")]),
            hash_with(&[("a/tests/deep/leak.rs", "x")]),
            hash_with(&[("a/page.html", "x")]),
        ];
        assert_eq!(others.iter().chain([&plain]).collect::<BTreeSet<_>>().len(), others.len() + 1);
    }

    #[test]
    fn what_was_made_what_is_hidden_and_another_workspace_do_not_count() {
        let plain = hash_with(&[]);
        for file in ["a/table.md", "a/.swp", "a/.git/x", "b/leak.rs"] {
            assert_eq!(hash_with(&[(file, "x")]), plain, "{file}");
        }
        assert_eq!(hash_with(&[("a/fuzz/Cargo.lock", ""), ("a/fuzz/target/x", "x")]), plain);
    }

    const LOCK: &str = "[[package]]\nname = \"a\"\nversion = \"0.1.0\"\ndependencies = [\"own\", \"x 2.0.0\", \"y\"]\n\
        [[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"registry\"\n\
        [[package]]\nname = \"x\"\nversion = \"2.0.0\"\nsource = \"registry\"\n\
        [[package]]\nname = \"y\"\nversion = \"3.0.0\"\nsource = \"registry\"\n";
    const MANIFEST: &str =
        "[package]\nname = \"a\"\n[dependencies]\nown = \"0\"\nx = \"2\"\n[dev-dependencies]\ny = \"3\"\n";

    fn versions_of(lock: &str, dev: bool) -> anyhow::Result<BTreeMap<String, String>> {
        let root = workbook(&[("Cargo.lock", lock), ("a/Cargo.toml", MANIFEST)]);
        versions(root.path(), &[Package { dir: "a".into(), dev }])
    }

    #[test]
    fn versions_are_those_that_the_package_gets_and_not_of_the_workspaces_own() {
        let version = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(versions_of(LOCK, false).unwrap(), BTreeMap::from([version("x", "2.0.0")]));
        assert_eq!(versions_of(LOCK, true).unwrap(), BTreeMap::from([version("x", "2.0.0"), version("y", "3.0.0")]));
        assert!(versions_of("", false).unwrap_err().to_string().contains("Cargo.lock does not know a"));
        let root = workbook(&[("Cargo.lock", LOCK)]);
        assert!(locked(root.path(), ["x"].into_iter()).unwrap_err().to_string().contains("not exactly one x"));
    }

    #[test]
    fn what_changed_is_said() {
        let version = |version: &str| BTreeMap::from([("x".to_owned(), version.to_owned())]);
        let made_by =
            MadeBy { hash: "a".into(), versions: version("1"), recorded: "2026-11-27".into(), machine: String::new() };
        let said = |hash: &str, with: &str| {
            made_by.check(&Now { hash: hash.into(), versions: version(with) }).map_err(|error| error.to_string())
        };
        assert_eq!(said("a", "1"), Ok(()));
        assert_eq!(said("b", "1").unwrap_err(), "is older than its sources");
        assert_eq!(said("a", "2").unwrap_err(), "was made with x 1, locked is 2");
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        for day in ["2026-11-20", "2024-02-29", "2000-02-29", "2026-12-31"] {
            assert!(check_day(day).is_ok(), "{day}");
        }
        for day in [
            "yesterday",
            "",
            "2026-11-2",
            "2026-13-01",
            "2026-02-29",
            "1900-02-29",
            "2026-00-01",
            "2026-01-00",
            "+026-01-01",
        ] {
            assert!(check_day(day).is_err(), "{day}");
        }
    }
}
