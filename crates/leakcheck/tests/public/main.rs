//! What those who take leakcheck may rely on: its public surface, its documents, and how old a compiler may be.

mod documents;
mod render;
mod sources;
mod surface;

use std::{collections::BTreeSet, fs, path::Path};

/// The surface, one item a line, as it was when somebody last renewed it.
const FILE: &str = "api.txt";

#[test]
fn the_public_surface_is_the_one_that_is_written_down() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let now = surface::of(here);
    if std::env::var_os("RENEW").is_some() {
        return fs::write(here.join(FILE), now.join("\n") + "\n").expect("it can be written");
    }
    let written = fs::read_to_string(here.join(FILE)).unwrap_or_default();
    let problems = differences(&written.lines().collect(), &now.iter().map(String::as_str).collect());
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// What is gone and what is new, and what either means for the version.
fn differences(written: &BTreeSet<&str>, now: &BTreeSet<&str>) -> Vec<String> {
    let mut problems: Vec<_> = written.difference(now).map(|line| format!("gone: {line}")).collect();
    if !problems.is_empty() {
        problems.push(
            "What is gone or changed breaks those who use it. Once a version with it is out, keep it, or raise the minor \
             version (0.1 to 0.2) and tell in CHANGELOG.md what to write instead."
                .to_owned(),
        );
    }
    problems.extend(now.difference(written).map(|line| format!("new:  {line}")));
    if !problems.is_empty() {
        problems.push(format!(
            "If it is meant so, renew {FILE}, and tell it in CHANGELOG.md: RENEW=1 cargo test -p leakcheck --test public"
        ));
    }
    problems
}

#[test]
fn a_removal_is_told_from_an_addition() {
    let set = |lines: &[&'static str]| lines.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(differences(&set(&["a", "b"]), &set(&["b", "a"])), [] as [String; 0]);
    let told = differences(&set(&["a", "b"]), &set(&["a", "c"]));
    assert_eq!((&*told[0], &*told[2]), ("gone: b", "new:  c"));
    assert!(told[1].contains("raise the minor version") && told[3].contains("RENEW=1"), "{told:?}");
    let added = differences(&set(&["a"]), &set(&["a", "c"]));
    assert_eq!(added[0], "new:  c");
    assert!(!added.join("").contains("breaks"), "{added:?}");
}

/// Auto traits are in no source, so this holds them: a program shares these between its threads.
#[test]
fn what_is_shared_between_threads_may_be() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<leakcheck::Report>();
    shared::<leakcheck::Checker>();
    shared::<leakcheck::Watch>();
    shared::<leakcheck::Scope>();
    shared::<leakcheck::Growth>();
    shared::<leakcheck::Found>();
    shared::<leakcheck::Allow>();
    shared::<leakcheck::AllowError>();
}
