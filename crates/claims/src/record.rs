//! The file the book takes its claims from:
//! `book/recordings/claims.json`.
//!
//! ```json
//! { "claims": { "burst-stage": {
//!   "seen": { "alive": 10000, "shown": 10000 },
//!   "made_by": {
//!     "program": "claims-console",
//!     "files": ["crates/claims/src/console/claims.rs", "…"],
//!     "hash": "0123456789abcdef",
//!     "versions": { "tokio": "1.54.1" },
//!     "recorded": "2026-11-27",
//!     "machine": "linux x86_64, 2 cores, debug build" } } } }
//! ```
//!
//! Each claim says by itself what made it, so that one can be
//! recorded anew without a word about the others. It is fresh when
//!
//! 1. `hash` is that of `files` as they are now: SHA-256 over path, a
//!    zero byte, contents, a zero byte of each file in the order of
//!    their paths; the first eight bytes, in hexadecimal;
//! 2. `versions` are those in `Cargo.lock`.
//!
//! `recorded` and `machine` say when and where, and are not checked.
//! Since the list of files is in the record, whoever checks it needs
//! the repository's root, and not this crate. `program` is the binary
//! that renews it: `cargo run --bin PROGRAM -- NAME --record`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::claim::Claim;

const PATH: &str = "book/recordings/claims.json";
const BOTH: &str = "run `cargo run --bin claims -- --record` and `cargo run --bin claims-console -- --record`";

/// The whole file.
#[derive(Default, Deserialize, Serialize)]
pub struct Record {
    pub claims: BTreeMap<String, Entry>,
}

/// One claim: an object of what it saw, and what made it.
#[derive(Clone, Deserialize, Serialize)]
pub struct Entry {
    pub seen: Value,
    pub made_by: MadeBy,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MadeBy {
    pub program: String,
    /// Sorted, from the repository's root.
    pub files: BTreeSet<String>,
    pub hash: String,
    pub versions: BTreeMap<String, String>,
    pub recorded: String,
    pub machine: String,
}

impl Record {
    /// # Errors
    /// When it is missing or cannot be read; with what to run.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(root.join(PATH))
            .with_context(|| format!("no {PATH}: {BOTH}"))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{PATH} cannot be read: remove it and {BOTH}")
        })
    }

    /// What is there already; nothing, before the first recording.
    ///
    /// # Errors
    /// When there is something that cannot be read.
    pub fn read_or_new(root: &Path) -> anyhow::Result<Self> {
        if root.join(PATH).exists() {
            Self::read(root)
        } else {
            Ok(Self::default())
        }
    }

    /// Takes all of a program's claims away: those that it still has
    /// come back, and a name that no claim has any more does not.
    pub fn forget(&mut self, program: &str) {
        self.claims
            .retain(|_, claim| claim.made_by.program != program);
    }

    /// Writes the file; nobody ever reads half of it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        let path = root.join(PATH);
        let unfinished = path.with_extension("part");
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &path))
            .with_context(|| format!("cannot write {PATH}"))
    }
}

impl MadeBy {
    /// What a claim that runs now is made by.
    ///
    /// # Errors
    /// When a file, a locked version or the date cannot be read.
    pub fn now(
        root: &Path,
        program: &str,
        claim: &Claim,
    ) -> anyhow::Result<Self> {
        let files =
            claim.files().into_iter().map(str::to_owned).collect();
        Ok(Self {
            program: program.into(),
            hash: hash(root, &files)?,
            files,
            versions: versions(root, claim.crates.iter().copied())?,
            recorded: today()?,
            machine: machine(),
        })
    }

    fn check(&self, root: &Path, name: &str) -> anyhow::Result<()> {
        let program = &self.program;
        let renew = format!(
            "run `cargo run --bin {program} -- {name} --record`"
        );
        let hash = hash(root, &self.files).with_context(|| {
            format!("the claim `{name}`: {renew}")
        })?;
        ensure!(
            self.hash == hash,
            "the claim `{name}` is older than its sources: {renew}"
        );
        let crates = self.versions.keys().map(String::as_str);
        for (krate, locked) in versions(root, crates)? {
            let with = &self.versions[&krate];
            ensure!(
                *with == locked,
                "the claim `{name}` was seen with {krate} {with}, locked is {locked}: {renew}"
            );
        }
        Ok(())
    }
}

/// Where this crate was built.
pub fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// Checks that a recorded claim was made by the sources and versions
/// of today.
///
/// # Errors
/// Says what changed, and which command renews the claim.
pub fn check_fresh(root: &Path, name: &str) -> anyhow::Result<()> {
    let record = Record::read(root)?;
    let claim = record.claims.get(name).with_context(|| {
        format!("no claim `{name}` is recorded: {BOTH}")
    })?;
    claim.made_by.check(root, name)
}

fn hash(
    root: &Path,
    files: &BTreeSet<String>,
) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        let contents = fs::read(root.join(file))
            .with_context(|| format!("cannot read {file}"))?;
        hash.update(file);
        hash.update([0]);
        hash.update(contents);
        hash.update([0]);
    }
    let bytes = hash.finalize();
    Ok(bytes.iter().take(8).map(|b| format!("{b:02x}")).collect())
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
}

fn versions<'a>(
    root: &Path,
    crates: impl Iterator<Item = &'a str>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let lock = fs::read_to_string(root.join("Cargo.lock"))
        .context("cannot read Cargo.lock")?;
    let lock: Lock =
        toml::from_str(&lock).context("Cargo.lock is damaged")?;
    let one = |name: &str| {
        let mut found =
            lock.package.iter().filter(|locked| locked.name == name);
        match (found.next(), found.next()) {
            (Some(locked), None) => {
                Ok((name.to_owned(), locked.version.clone()))
            }
            _ => {
                anyhow::bail!("not exactly one {name} in Cargo.lock")
            }
        }
    };
    crates.map(one).collect()
}

fn machine() -> String {
    let (system, kind) =
        (std::env::consts::OS, std::env::consts::ARCH);
    let cores =
        std::thread::available_parallelism().map_or(1, usize::from);
    let build =
        if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{system} {kind}, {cores} cores, {build} build")
}

/// From the system, as the lab asks for it: only who records needs
/// it, and every newcomer would wait for a calendar to compile.
fn today() -> anyhow::Result<String> {
    let output = Command::new("date").arg("+%Y-%m-%d").output();
    let output = output.context("cannot run `date`")?;
    ensure!(output.status.success(), "`date` failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written here, so this is its file.
    const CLAIM: Claim = Claim::steady("x", "", || Ok(Value::Null))
        .made_by(&[], &["tokio"]);

    /// A repository in which [`CLAIM`] can be recorded.
    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join(file!());
        for folder in [&source, &root.path().join(PATH)] {
            fs::create_dir_all(folder.parent().unwrap()).unwrap();
        }
        fs::write(source, "a").unwrap();
        lock(root.path(), "1.0.0");
        root
    }

    fn lock(root: &Path, tokio: &str) {
        let entry = format!(
            "[[package]]\nname = \"tokio\"\nversion = \"{tokio}\"\n"
        );
        fs::write(root.join("Cargo.lock"), entry).unwrap();
    }

    fn entry(root: &Path, program: &str) -> Entry {
        let made_by = MadeBy::now(root, program, &CLAIM).unwrap();
        Entry { seen: serde_json::json!({ "n": 1 }), made_by }
    }

    fn recorded(root: &Path) {
        let mut record = Record::read_or_new(root).unwrap();
        record.claims.insert("x".into(), entry(root, "claims"));
        record.write(root).unwrap();
    }

    fn problem(root: &Path) -> String {
        format!("{:#}", check_fresh(root, "x").unwrap_err())
    }

    #[test]
    fn a_claim_is_stale_when_its_file_or_a_version_changed() {
        let repository = repository();
        let root = repository.path();
        assert!(problem(root).starts_with("no book/recordings"));
        recorded(root);
        check_fresh(root, "x").unwrap();
        let renew = "run `cargo run --bin claims -- x --record`";

        fs::write(root.join(file!()), "b").unwrap();
        assert_eq!(
            problem(root),
            format!(
                "the claim `x` is older than its sources: {renew}"
            )
        );
        fs::write(root.join(file!()), "a").unwrap();
        lock(root, "1.0.1");
        assert_eq!(
            problem(root),
            format!(
                "the claim `x` was seen with tokio 1.0.0, locked is 1.0.1: {renew}"
            )
        );
        recorded(root);
        check_fresh(root, "x").unwrap();
        fs::remove_file(root.join(file!())).unwrap();
        assert!(problem(root).starts_with(&format!(
            "the claim `x`: {renew}: cannot read "
        )));
    }

    #[test]
    fn a_crate_that_is_locked_twice_or_never_is_refused() {
        let repository = repository();
        let root = repository.path();
        let of = |name| versions(root, [name].into_iter());
        assert_eq!(of("tokio").unwrap()["tokio"], "1.0.0");
        assert!(of("axum").is_err());
        let file = root.join("Cargo.lock");
        let once = fs::read_to_string(&file).unwrap();
        fs::write(&file, once.repeat(2)).unwrap();
        assert!(of("tokio").is_err());
    }

    #[test]
    fn a_program_forgets_its_own_claims_and_no_others() {
        let repository = repository();
        let mut record = Record::default();
        for program in ["claims", "claims-console"] {
            let entry = entry(repository.path(), program);
            record.claims.insert(program.into(), entry);
        }
        record.forget("claims");
        let left: Vec<_> = record.claims.keys().collect();
        assert_eq!(left, ["claims-console"]);
    }

    /// The lab computes it too: it must not change in silence.
    #[test]
    fn the_hash_is_the_one_that_is_written_down() {
        let repository = repository();
        let made_by = entry(repository.path(), "claims").made_by;
        let text = [file!(), "\0a\0"].concat();
        let by_hand = Sha256::digest(text)[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        assert_eq!(made_by.hash, by_hand);
        let day = &made_by.recorded;
        assert!(day.len() == 10 && day.starts_with("20"), "{day}");
    }

    #[test]
    fn a_damaged_record_is_refused_and_not_replaced() {
        let repository = repository();
        let root = repository.path();
        fs::write(root.join(PATH), "{ \"claims\":").unwrap();
        let Err(error) = Record::read_or_new(root) else {
            panic!("half a record was read");
        };
        assert!(error.to_string().contains("cannot be read"));
    }
}
