//! Recorded runs on disk: `book/recordings/<name>.json`. A record knows the sources and versions it was made with. Reads and checks;
//! [`crate::measure`] makes them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::series::Recording;

/// The crates whose versions the numbers depend on.
const CRATES: [&str; 2] = ["tokio", "console-subscriber"];
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
}

/// Where the record of `name` is.
pub fn path(root: &Path, name: &str) -> PathBuf {
    root.join("book/recordings").join(format!("{name}.json"))
}

/// Reads the record of `name`.
///
/// # Errors
/// When it is missing or half written; with the command that makes it.
pub fn load(root: &Path, name: &str) -> anyhow::Result<Recording> {
    let path = path(root, name);
    let text =
        fs::read_to_string(&path).with_context(|| format!("{name} has no recording: run `cargo lab record {name}`"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("the recording of {name} cannot be read: run `cargo lab record {name}`"))
}

/// Checks that the record of the scenario `name` is current, and has exactly these sides.
///
/// # Errors
/// Says what changed and which command renews the record.
pub fn check_fresh(root: &Path, name: &str, sides: &[String]) -> anyhow::Result<()> {
    let recording = load(root, name)?;
    let renew = format!("run `cargo lab record {name}`");
    let recorded: Vec<_> = recording.sides.keys().cloned().collect();
    let mut sides = sides.to_vec();
    sides.sort();
    ensure!(recorded == sides, "the recording of {name} has other sides than the scenario: {renew}");
    check_current(root, &recording)
}

/// Checks that a record was made with the sources and versions of today.
///
/// # Errors
/// Says what changed and which command renews the record.
pub fn check_current(root: &Path, recording: &Recording) -> anyhow::Result<()> {
    let name = &recording.scenario;
    let renew = format!("run `cargo lab record {name}`");
    let hash = source_hash(&root.join("scenarios").join(name))?;
    ensure!(recording.source_hash == hash, "the recording of {name} is older than its sources: {renew}");
    for (krate, locked) in locked_versions(root)? {
        let with = recording.versions.get(&krate).map_or("none", String::as_str);
        ensure!(with == locked, "the recording of {name} was made with {krate} {with}, locked is {locked}: {renew}");
    }
    Ok(())
}

/// A hash over the names and contents of a scenario's sources and manifest, in the order of their names.
pub fn source_hash(dir: &Path) -> anyhow::Result<String> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs" || extension == "toml"))
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update(fs::read(&file)?);
        hash.update([0]);
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// The locked versions of the crates that the numbers depend on.
///
/// # Errors
/// When `Cargo.lock` cannot be read.
pub fn locked_versions(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root.join("Cargo.lock")).context("there is no Cargo.lock: run `cargo lab` once")?;
    let lock: Lock = toml::from_str(&text).context("Cargo.lock cannot be read")?;
    let known = lock.package.into_iter().filter(|package| CRATES.contains(&package.name.as_str()));
    Ok(known.map(|package| (package.name, package.version)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_contents_and_names_apart() {
        let dir = std::env::temp_dir().join(format!("lab-hash-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let hash_of = |name: &str, text: &str| {
            fs::write(dir.join(name), text).unwrap();
            let hash = source_hash(&dir).unwrap();
            fs::remove_file(dir.join(name)).unwrap();
            hash
        };
        let hashes = [hash_of("leak.rs", "a"), hash_of("leak.rs", "b"), hash_of("fix.rs", "a")];
        assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2]);
        assert_eq!(hash_of("leak.rs", "a"), hashes[0]);
        assert_eq!(hash_of("notes.md", "a"), source_hash(&dir).unwrap(), "prose beside the sources does not count");
        fs::remove_dir(&dir).unwrap();
    }

    #[test]
    fn a_half_written_record_names_the_command_that_renews_it() {
        let root = std::env::temp_dir().join(format!("lab-half-{}", std::process::id()));
        fs::create_dir_all(root.join("book/recordings")).unwrap();
        let missing = load(&root, "x").unwrap_err().to_string();
        fs::write(path(&root, "x"), "{\"scenario\":\"x\"").unwrap();
        let half = load(&root, "x").unwrap_err().to_string();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(missing, "x has no recording: run `cargo lab record x`");
        assert_eq!(half, "the recording of x cannot be read: run `cargo lab record x`");
    }
}
