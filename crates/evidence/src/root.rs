//! Where the workbook is.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The workbook's folder: the nearest one from here upwards that has `book.toml` and `scenarios/`.
///
/// # Errors
/// When there is none: the lab was started outside the workbook.
pub fn find() -> anyhow::Result<PathBuf> {
    find_from(&std::env::current_dir().context("the current folder is gone")?)
}

fn find_from(here: &Path) -> anyhow::Result<PathBuf> {
    here.ancestors()
        .find(|dir| dir.join("book.toml").is_file() && dir.join("scenarios").is_dir())
        .map(Path::to_owned)
        .with_context(|| format!("{} is not inside the workbook: change to the folder you cloned", here.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_the_workbook_there_is_no_root() {
        assert!(find_from(Path::new("/")).unwrap_err().to_string().contains("not inside the workbook"));
    }

    #[test]
    fn a_folder_inside_finds_the_root() {
        let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert!(find_from(&inside).unwrap().join("Cargo.lock").is_file());
    }
}
