//! Where kits are built to be judged: one folder below `target`, whose path stays the same, and the workbook's own target directory. So the
//! crates that the workbook has compiled are compiled, and of a second kit little more than its service.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use book::kit::{Files, manifest};

use super::folder::write_files;
use crate::cargo::{self, Progress};

/// Below the workbook's `target`.
const FOLDER: &str = "target/kit";
/// Cargo finds the flags in the workbook's own file: here they would be set a second time, and all would be built anew.
const FLAGS: &str = ".cargo/config.toml";

/// One at a time has it.
pub struct Workshop {
    folder: PathBuf,
    target: PathBuf,
    /// Unlocked when the workshop is dropped, or its process ends.
    _lock: File,
}

impl Workshop {
    /// Opens the workshop of the workbook in `root`; `busy` is told where another process has it, and this waits.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub async fn open(root: &Path, busy: impl Fn()) -> anyhow::Result<Self> {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock =
            File::create(folder.join("lock")).with_context(|| format!("cannot write in {}", folder.display()))?;
        if lock.try_lock().is_err() {
            busy();
            let other = lock.try_clone()?;
            tokio::task::spawn_blocking(move || other.lock()).await??;
        }
        Ok(Self { target: cargo::target_directory(root), folder, _lock: lock })
    }

    /// Builds a kit with these files, and returns its program under a name of its own: the next build does not touch it.
    ///
    /// # Errors
    /// When it does not compile.
    pub async fn build(&self, files: &Files, name: &str, progress: impl FnMut(Progress)) -> anyhow::Result<PathBuf> {
        let work = self.folder.join("work");
        let files: Files =
            files.iter().filter(|(path, _)| *path != FLAGS).map(|(path, text)| (path.clone(), text.clone())).collect();
        clear(&work, "", &files)?;
        write_files(&work, &files)?;
        let bins = [manifest::BIN.to_owned()];
        let built = cargo::build_into(&work, Some(&self.target), &bins, progress).await?;
        let made = built.get(manifest::BIN).context("cargo built no service")?;
        let kept = self.folder.join("bin").join(name);
        fs::create_dir_all(self.folder.join("bin"))?;
        // A program that runs cannot be written; its name can be given to another file.
        let _ = fs::remove_file(&kept);
        fs::copy(made, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
        Ok(kept)
    }
}

/// Removes what an earlier kit left.
fn clear(dir: &Path, prefix: &str, files: &Files) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            clear(&entry.path(), &format!("{path}/"), files)?;
            // Only an empty one goes: cargo would take it for a crate without a manifest.
            let _ = fs::remove_dir(entry.path());
        } else if !files.contains_key(&path) {
            fs::remove_file(entry.path()).with_context(|| format!("cannot remove {path}"))?;
        }
    }
    Ok(())
}
