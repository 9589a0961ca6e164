//! Where a server builds its book: a folder of its own in `target`, removed with the server. What a killed server left is
//! removed by the next one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;

const PREFIX: &str = "serve-";
/// Locked by the server whose folder it is in. The system unlocks it, however the server ends.
const OWNED: &str = "owned";
/// Held while folders are swept and a new one is made.
const SWEEP: &str = "serve.lock";

/// A folder that one server owns.
pub(super) struct Folder {
    dir: TempDir,
    /// Unlocked when it is closed.
    _owned: File,
}

impl Folder {
    /// Removes what dead servers left in `root/target`, and makes a folder there.
    pub(super) fn new(root: &Path) -> anyhow::Result<Self> {
        let target = root.join("target");
        Self::make(&target).context("cannot write into target/")
    }

    fn make(target: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(target)?;
        let sweeping = File::create(target.join(SWEEP))?;
        // Where files cannot be locked, nothing is swept, and servers are made all the same.
        if sweeping.lock().is_ok() {
            sweep(target);
        }
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(target)?;
        let owned = File::create(dir.path().join(OWNED))?;
        let _ = owned.lock();
        Ok(Self { dir, _owned: owned })
    }

    /// One of the two folders that are built into in turn: the other one than `served`.
    pub(super) fn other_than(&self, served: &Path) -> PathBuf {
        let [first, second] = ["0", "1"].map(|name| self.dir.path().join(name));
        if served.starts_with(&first) { second } else { first }
    }
}

fn sweep(target: &Path) {
    let entries = target.read_dir().into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    for path in folders.map(|entry| entry.path()).filter(|path| path.is_dir() && !in_use(path)) {
        // Next time, then.
        let _ = fs::remove_dir_all(path);
    }
}

fn in_use(folder: &Path) -> bool {
    match File::open(folder.join(OWNED)) {
        // Locked by its owner, or of unknown state.
        Ok(owned) => owned.try_lock().is_err(),
        // From before there was a lock, or half removed.
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_an_owner_is_swept_and_one_in_use_stays() {
        let target = tempfile::tempdir().unwrap();
        let dead = Folder::make(target.path()).unwrap();
        let left = dead.dir.path().to_owned();
        // As after `kill -9`: the lock is gone, the folder is not.
        let Folder { dir, _owned } = dead;
        let _ = dir.keep();
        drop(_owned);
        fs::create_dir(target.path().join("serve-old")).unwrap();
        fs::create_dir(target.path().join("debug")).unwrap();

        let alive = Folder::make(target.path()).unwrap();
        assert!(!left.exists() && !target.path().join("serve-old").exists());
        let second = Folder::make(target.path()).unwrap();
        assert!(alive.dir.path().join(OWNED).exists() && second.dir.path().exists());
        assert!(target.path().join("debug").exists());
    }

    #[test]
    fn what_is_served_is_never_built_into() {
        let target = tempfile::tempdir().unwrap();
        let folder = Folder::make(target.path()).unwrap();
        let first = folder.other_than(Path::new(""));
        let second = folder.other_than(&first.join("html"));
        assert_ne!(first, second);
        assert_eq!(folder.other_than(&second), first);
    }
}
