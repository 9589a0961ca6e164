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

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
