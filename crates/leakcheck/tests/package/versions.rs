//! The oldest Tokio that the manifest allows, and the one that this workspace is built with.

use std::{collections::BTreeMap, fs, process::Command};

use crate::{here, root, run, target};

/// The rows of a table of `versions/try`, by version.
fn rows(table: &str) -> BTreeMap<&str, &str> {
    let rows = table.lines().filter_map(|line| Some((line.strip_prefix("| ")?.split_once(" |")?.0, line)));
    rows.filter(|(version, _)| version.starts_with("1.")).collect()
}

/// What the manifest asks for at least.
fn oldest() -> String {
    let manifest = fs::read_to_string(here().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("tokio = { version = \"")?.split('"').next());
    version.expect("the manifest states the oldest Tokio").to_owned()
}

/// What the lock file of the workspace has.
fn pinned() -> String {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let version = lock.split("name = \"tokio\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    version.expect("the workspace has Tokio").to_owned()
}

#[test]
fn the_table_begins_with_what_does_not_work_and_has_the_oldest_and_the_pinned_version() {
    let table = fs::read_to_string(here().join("versions/table.md")).unwrap();
    let rows = rows(&table);
    let works = |row: &str| row.contains("| yes | yes |");
    let first = rows.iter().find(|(_, row)| works(row)).map(|(version, _)| (*version).to_owned());
    assert_eq!(first, Some(oldest()), "the manifest asks for another version than the first that works:\n{table}");
    assert!(rows.contains_key(&*pinned()), "Tokio {} is new: run versions/try >versions/table.md", pinned());
    assert!(rows.values().any(|row| !works(row)), "no version was refused, so nobody looked far enough:\n{table}");
}

#[test]
fn the_oldest_and_the_pinned_version_are_as_the_table_says() {
    let (oldest, pinned) = (oldest(), pinned());
    let mut command = Command::new(here().join("versions/try"));
    command.args([&oldest, &pinned]).env("VERSIONS_TARGET", target("versions"));
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    let (success, text) = run(&mut command);
    let log = fs::read_to_string(target("versions").join("log.txt")).unwrap_or_default();
    assert!(success, "{text}\n{log}");
    let (table, tried) = (fs::read_to_string(here().join("versions/table.md")).unwrap(), rows(&text));
    for version in [&*oldest, &*pinned] {
        assert_eq!(tried.get(version), rows(&table).get(version), "Tokio {version} is not as the table says:\n{log}");
    }
}
