//! Writes interview kits, and judges what candidates hand back.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use book::kit::{self, Files, Ingredients, Order};

/// The candidate's part of a kit.
pub const CANDIDATE: &str = "candidate";
/// The interviewer's.
pub const INTERVIEWER: &str = "interviewer.html";

/// Writes the kit of `name` into `dir`, which must not exist, or be one that may be replaced.
///
/// # Errors
/// When there is no such name, or `dir` cannot be written: one line, and nothing is lost.
pub fn write(root: &Path, name: &str, order: Order, dir: &Path, force: bool) -> anyhow::Result<()> {
    let of = Ingredients::read(root, name)?;
    let files = kit::candidate(&of, order, of.given())?;
    let sheet = Files::from([(INTERVIEWER.to_owned(), kit::interviewer(&of, order)?)]);
    check_free(dir, force)?;
    write_files(&dir.join(CANDIDATE), &files)?;
    write_files(dir, &sheet)
}

/// Refuses a folder that exists; with `force`, one that holds something else than a kit.
fn check_free(dir: &Path, force: bool) -> anyhow::Result<()> {
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
