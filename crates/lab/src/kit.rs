//! Writes interview kits, and judges what candidates hand back.

mod folder;
mod verify;
mod workshop;

use std::path::Path;

use book::kit::{self, Files, Ingredients, Order};

pub use self::{
    folder::{CANDIDATE, INTERVIEWER, write_files},
    verify::{Judged, Tell, judge, verify},
    workshop::Workshop,
};

/// Writes the kit of `name` into `dir`, which must not exist, or be one that may be written into.
///
/// # Errors
/// When there is no such name, or `dir` cannot be written: one line, and nothing is lost.
pub fn write(root: &Path, name: &str, order: Order, dir: &Path, force: bool) -> anyhow::Result<()> {
    let of = Ingredients::read(root, name)?;
    // All is made before anything is written.
    let files = kit::candidate(&of, order, of.given())?;
    let sheet = Files::from([(INTERVIEWER.to_owned(), kit::interviewer(&of, order)?)]);
    folder::check_free(dir, force)?;
    write_files(&dir.join(CANDIDATE), &files)?;
    write_files(dir, &sheet)
}
