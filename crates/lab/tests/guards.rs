//! The report that a chapter shows under *Guard* is the one that the leak's own test gave, word for word: that of the leak
//! checker, or, where what is lost is not a task, the guard's assertion that begins with `lost: `. Only what differs from
//! machine to machine is left out: the folder of cargo's registry, and, when they are compared, the tasks' ages.
//!
//! `LAB_GUARDS=write cargo test --test guards` writes the reports anew.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use lab::{
    catalogue::{Catalogue, Scenario},
    root,
};

#[test]
fn every_chapter_shows_the_report_that_its_leak_gives() {
    let root = root::find().expect("the tests run inside the workbook");
    let write = std::env::var("LAB_GUARDS").is_ok_and(|value| value == "write");
    let problems: Vec<_> = scenarios(&root).iter().filter_map(|one| check(&root, one, write).err()).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_report_is_found_among_other_words_and_loses_the_registrys_folder() {
    let words = "\nthread 'guard::a' (7) panicked at a.rs:1:2:\nleak: 1 task left\n  \
        1 task spawned at /home/me/.cargo/registry/src/index-1/tonic-0.14.9/src/a.rs:3:4: parked; under 1 s old\n\n\
        note: run with `RUST_BACKTRACE=1`\ntest guard::a - should panic ... ok\n";
    let report = "leak: 1 task left\n  1 task spawned at tonic-0.14.9/src/a.rs:3:4: parked; under 1 s old\n";
    assert_eq!(report_in(words).as_deref(), Some(report));
    assert_eq!(
        report_in("thread 'guard::a' (7) panicked at a.rs:1:2:\nlost: 3 of 8\nnote: x\n").as_deref(),
        Some("lost: 3 of 8\n")
    );
    assert_eq!(report_in("running 1 test\ntest a ... ok\n"), None);
    assert_eq!(without_ages(report), "leak: 1 task left\n  1 task spawned at tonic-0.14.9/src/a.rs:3:4: parked\n");
}

fn scenarios(root: &Path) -> Vec<Scenario> {
    Catalogue::read(root).unwrap().whole().unwrap().to_vec()
}

/// Holds the stored report against what the test says now, or stores that.
fn check(root: &Path, one: &Scenario, write: bool) -> Result<(), String> {
    let bin = one.bin("leak");
    let Output { status, stdout, stderr } = Command::new("cargo")
        .args(["test", "--quiet", "--bin", &bin, "guard::", "--", "--nocapture", "--test-threads=1"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let words = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if !status.success() {
        return Err(format!("{bin}: `cargo test --bin {bin}` fails:\n{words}"));
    }
    let report = report_in(&words).ok_or_else(|| format!("{bin}: no report in what the guard printed:\n{words}"))?;
    let file = one.dir.join("guard.txt");
    if write {
        return fs::write(&file, report).map_err(|error| format!("{}: {error}", file.display()));
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    let renew = "run `LAB_GUARDS=write cargo test --test guards`";
    if stored == report {
        Ok(())
    } else {
        Err(format!("{} is not what {bin} reports: {renew}\n{report}", file.display()))
    }
}

/// Ages depend on how busy the machine is. Each stands last on its line.
fn without_ages(report: &str) -> String {
    report.lines().map(|line| line.rsplit_once("; ").map_or(line, |(rest, _)| rest).to_owned() + "\n").collect()
}

/// The first report in what a test printed.
fn report_in(words: &str) -> Option<String> {
    let is_head = |line: &&str| line.starts_with("leak: ") || line.starts_with("lost: ");
    let mut lines = words.lines().skip_while(|line| !is_head(line));
    let head = lines.next()?;
    let rest = lines.take_while(|line| line.starts_with("  "));
    Some(std::iter::once(head).chain(rest).map(|line| cut(line) + "\n").collect())
}

fn cut(line: &str) -> String {
    line.split(' ').map(stage::wire::shorten).collect::<Vec<_>>().join(" ")
}
