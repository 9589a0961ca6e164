//! Includes and their anchors, looked at before mdBook takes them: it says nothing where an anchor is missing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail, ensure};

use super::{
    source::Source,
    syntax::{self, Problem},
};

const INCLUDES: [&str; 3] = ["include", "rustdoc_include", "playground"];

/// What is wrong with the includes of a chapter.
pub(super) fn problems(source: &Source, chapter: &Path, text: &str) -> Vec<Problem> {
    let file = source.book_src.join(chapter);
    let dir = file.parent().unwrap_or(&source.book_src);
    let check = |directive: &str| {
        let error = check(source, dir, directive).err()?;
        Some(Problem { text: directive.to_owned(), at: None, why: format!("{error:#}") })
    };
    syntax::all(text).into_iter().filter_map(|range| check(&text[range])).collect()
}

/// The folders outside the chapters' own from which chapters include files, relative to the root.
pub(super) fn folders(src: &Path, chapters: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let targets = chapters.iter().flat_map(|(file, text)| {
        let dir = file.parent().unwrap_or(src);
        syntax::all(text).into_iter().filter_map(move |range| {
            let words = syntax::words(&text[range]);
            let [name, target, ..] = words.as_slice() else { return None };
            let file = target.split(':').next().filter(|_| INCLUDES.contains(name))?;
            plain(&dir.join(file)).parent().map(Path::to_owned)
        })
    });
    targets.filter(|folder| !folder.starts_with(src)).collect()
}

/// A path without `..`: `book/src/../../crates` → `crates`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        plain
    })
}

fn check(source: &Source, dir: &Path, directive: &str) -> anyhow::Result<()> {
    let words = syntax::words(directive);
    let [name, target, ..] = words.as_slice() else { return Ok(()) };
    if !INCLUDES.contains(name) {
        return Ok(());
    }
    let (file, part) = target.split_once(':').unwrap_or((target, ""));
    source.check_include(&dir.join(file))?;
    let text = fs::read_to_string(dir.join(file)).with_context(|| format!("cannot read {file}"))?;
    // `:3` and `:3:9` are line numbers.
    if part.is_empty() || part.starts_with(|c: char| c.is_ascii_digit() || c == ':') {
        return Ok(());
    }
    region(&text, part).map(drop).with_context(|| file.to_owned())
}

/// The lines between `ANCHOR: name` and `ANCHOR_END: name`, without their common indentation and other anchors' lines.
pub(super) fn region(text: &str, name: &str) -> anyhow::Result<String> {
    let is = |line: &str, tag: &str| line.split_once(tag).is_some_and(|(_, rest)| rest.trim() == name);
    let mut lines = text.lines().skip_while(|line| !is(line, "ANCHOR:"));
    ensure!(lines.next().is_some(), "no `// ANCHOR: {name}` there");
    let mut inside = Vec::new();
    loop {
        match lines.next() {
            None => bail!("no `// ANCHOR_END: {name}` closes the anchor"),
            Some(line) if is(line, "ANCHOR_END:") => break,
            Some(line) if line.contains("ANCHOR:") || line.contains("ANCHOR_END:") => {}
            Some(line) => inside.push(line),
        }
    }
    ensure!(inside.iter().any(|line| !line.trim().is_empty()), "the anchor `{name}` is empty");
    Ok(dedent(&inside))
}

fn dedent(lines: &[&str]) -> String {
    let width = |line: &&&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| width(&line)).min().unwrap_or(0);
    lines.iter().map(|line| line.get(common..).unwrap_or("").to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
        fn main() {}\n// ANCHOR: open\n// ANCHOR: empty\n\n// ANCHOR_END: empty\n\
        // ANCHOR: body\n    one\n\n      two\n// ANCHOR_END: body\nthree\n";

    #[test]
    fn an_anchor_that_is_missing_empty_or_unclosed_is_an_error() {
        let error = |name| region(FILE, name).unwrap_err().to_string();
        assert_eq!(error("none"), "no `// ANCHOR: none` there");
        assert_eq!(error("bod"), "no `// ANCHOR: bod` there");
        assert_eq!(error("empty"), "the anchor `empty` is empty");
        assert_eq!(error("open"), "no `// ANCHOR_END: open` closes the anchor");
    }

    #[test]
    fn a_region_loses_its_indentation_and_keeps_its_empty_lines() {
        assert_eq!(region(FILE, "body").unwrap(), "one\n\n  two\n");
    }
}
