//! The folder of a kit on disk.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use book::kit::Files;

/// The candidate's part of a kit.
pub const CANDIDATE: &str = "candidate";
/// The interviewer's.
pub const INTERVIEWER: &str = "interviewer.html";

/// Refuses a folder that exists, unless it may be written into.
///
/// # Errors
/// When it exists: one line.
pub(super) fn check_free(dir: &Path, force: bool) -> anyhow::Result<()> {
    if fs::symlink_metadata(dir).is_err() {
        return Ok(());
    }
    ensure!(force, "{} exists: `--out` names another folder, `--force` writes the kit into it", dir.display());
    ensure!(dir.is_dir(), "{} is no folder", dir.display());
    Ok(())
}

/// Writes what is not there yet as it is to be; what has not changed keeps its time, so that cargo sees nothing new.
///
/// # Errors
/// When a file cannot be written.
pub fn write_files(dir: &Path, files: &Files) -> anyhow::Result<()> {
    for (path, text) in files {
        let file = dir.join(path);
        if fs::read(&file).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        let folder = file.parent().context("a file has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
