//! The sources of a candidate's service: one side and whatever it takes as a module, without what tells. Pure.

use anyhow::{Context, bail};
use evidence::side::capital;

use crate::include;

use super::{
    ingredients::{Files, Ingredients},
    rust, telling,
};

/// Where the service is in a kit.
pub const MAIN: &str = "src/main.rs";
/// In place of a word that tells, where a program says it: it may be a protocol's own.
const WRONG: [(&str, &str); 2] = [("wrong", "bad"), ("Wrong", "Bad")];

/// The sources with `side` as the service, by their paths in the kit.
///
/// # Errors
/// When a module is missing.
pub(super) fn sources(of: &Ingredients, side: &str) -> anyhow::Result<Files> {
    let main = format!("{side}.rs");
    let mut roots = vec![(main.clone(), true)];
    roots.extend(library(of).map(|(_, path)| (path, true)));
    let mut files = Files::new();
    while let Some((file, is_root)) = roots.pop() {
        let path = if file == main { MAIN.to_owned() } else { format!("src/{file}") };
        if files.contains_key(&path) {
            continue;
        }
        let text = of.package.get(&file).with_context(|| format!("{} has no {file}", of.scenario.name))?;
        let text = if file.ends_with(".rs") { rust::without_tests(text) } else { text.clone() };
        roots.extend(rust::taken(&file, &text, is_root).into_iter().map(|file| (file, false)));
        files.insert(path, if file.ends_with(".rs") { neutral(of, &text, file == main) } else { text });
    }
    Ok(files)
}

/// What of a side is held against another: a scenario's service, or all of an exercise's, without its head.
///
/// # Errors
/// When there is no such side, or it has no service.
pub(super) fn shown(of: &Ingredients, side: &str) -> anyhow::Result<String> {
    let file = format!("{side}.rs");
    let text = of.package.get(&file).with_context(|| format!("{} has no {file}", of.scenario.name))?;
    let text = if of.exercise.is_some() { text.clone() } else { include::region(text, "service").context(file)? };
    Ok(rust::with_doc(&neutral(of, &rust::without_tests(&text), false), &[]))
}

/// Name and file of the library that the package's programs share.
pub(super) fn library(of: &Ingredients) -> Option<(String, String)> {
    let manifest: toml::Table = of.package.get("Cargo.toml")?.parse().ok()?;
    let text = |key: &str| Some(manifest.get("lib")?.get(key)?.as_str()?.to_owned());
    Some((text("name")?, text("path")?))
}

/// One file, as a candidate reads it.
fn neutral(of: &Ingredients, text: &str, is_service: bool) -> String {
    let text = rust::without_marks(&without_head(of, text, is_service), &of.names);
    let text =
        text.replace("stage::scenario!()", "stage::service!()").replace("exercise::side!()", "stage::service!()");
    let text = WRONG.into_iter().fold(text, |text, (from, to)| text.replace(from, to));
    let snake = of.scenario.name.replace('-', "_");
    text.replace(&format!("scenarios/{}/", of.scenario.name), "")
        .replace(&of.scenario.name, "service")
        .replace(&snake, "service")
        .replace(&snake.to_uppercase(), "SERVICE")
}

/// The head of a file without what is said to a reader of the workbook.
fn without_head(of: &Ingredients, text: &str, is_service: bool) -> String {
    let paragraphs = rust::doc(text);
    let is_side = of.exercise.is_none() && is_service;
    let told = |paragraph: &&String| !["Run it:", "You will see"].iter().any(|start| paragraph.starts_with(start));
    // What a scenario's side says first is what it does badly, or well.
    let kept: Vec<_> = paragraphs.iter().skip(usize::from(is_side)).filter(told).collect();
    let neutral = kept.iter().filter(|paragraph| telling::words(paragraph, &of.names).is_empty());
    let neutral: Vec<_> = neutral.map(|paragraph| paragraph.as_str()).collect();
    let about = format!("{}.", capital(&of.scenario.about));
    match neutral.as_slice() {
        [] if is_service => rust::with_doc(text, &[&about]),
        neutral => rust::with_doc(text, neutral),
    }
}

/// Checks that nothing in these files tells, neither their names.
///
/// # Errors
/// The first file that does, with the word and the line.
pub(super) fn check(files: &Files, names: &[String]) -> anyhow::Result<()> {
    for (path, text) in files {
        // A lock file has the names of crates, which are what they are; but none of ours.
        let stems = if path.ends_with(".lock") { "" } else { text };
        let found = [telling::words(path, names), telling::words(stems, names)].concat();
        if let Some(word) = found.first() {
            let line = text.lines().position(|line| line.contains(word.as_str())).map_or(0, |at| at + 1);
            bail!("{path}:{line} would tell a candidate: `{word}`");
        }
    }
    Ok(())
}
