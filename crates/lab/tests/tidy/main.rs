//! The teaching material and the house are well formed: nothing is forgotten, nothing is left over, names say the same
//! everywhere, and walls stand where they are drawn. Each failure says what to do.

mod chapters;
mod exercises;
mod exhibits;
mod modules;
mod prose;
mod questions;
mod repository;
mod scenarios;

use std::{
    fs,
    path::{Path, PathBuf},
};

use evidence::{
    catalogue::{Catalogue, Scenario},
    root,
};

fn root() -> PathBuf {
    root::find().expect("the tests run inside the workbook")
}

fn scenarios() -> Vec<Scenario> {
    Catalogue::read(&root()).unwrap().whole().unwrap().to_vec()
}

/// Scenarios and controls.
fn pairs() -> Vec<Scenario> {
    Catalogue::read(&root()).unwrap().pairs().cloned().collect()
}

/// Of a reader's own file the text that would be committed: while somebody practises, nothing here fails.
fn read(path: impl AsRef<Path>) -> String {
    if let Some(text) = path.as_ref().to_str().filter(|path| is_of_a_reader(path)).and_then(staged) {
        return text;
    }
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `exercises/NAME/mine.rs` and `guard.rs`.
fn is_of_a_reader(path: &str) -> bool {
    path.starts_with("exercises/") && ["/mine.rs", "/guard.rs"].iter().any(|own| path.ends_with(own))
}

/// What git would commit of a file; none of one that it does not know yet.
fn staged(path: &str) -> Option<String> {
    let output = std::process::Command::new("git").args(["show", &format!(":{path}")]).current_dir(root()).output();
    output.ok().filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok())
}

fn fail_on(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// `git ls-files`: what is kept, and nothing that a build left behind.
fn tracked() -> Vec<String> {
    let output = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "git cannot list the files: the tidy test runs in a clone");
    output.stdout.split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}
