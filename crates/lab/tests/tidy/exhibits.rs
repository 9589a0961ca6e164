//! Whatever a page shows and nobody typed is an exhibit, and as new as what it was made from.

use std::{collections::BTreeSet, fs, path::Path};

use evidence::{
    catalogue::Scenario,
    chart,
    exhibit::{Exhibits, Kind, LEAK_TEST},
    made_by::MadeBy,
    recording,
};
use lab::today;

use crate::{exercises::exercises, fail_on, pairs, read, root, tracked};

fn all() -> Vec<Exhibits> {
    let leak_test = Exhibits::of_leak_test(&root()).unwrap();
    subjects().iter().map(Exhibits::of).chain([leak_test]).collect()
}

/// Scenarios, controls, and the scenarios of exercises.
fn subjects() -> Vec<Scenario> {
    pairs().into_iter().chain(exercises().into_iter().map(|one| one.scenario)).collect()
}

#[test]
fn every_exhibit_is_as_new_as_its_sources_and_versions() {
    let mut problems = Vec::new();
    for one in subjects() {
        problems.extend(recording::check_fresh(&root(), &one).err().map(|error| format!("{error:#}")));
    }
    for exhibits in all() {
        let others = exhibits.all.iter().filter(|one| one.kind != Kind::Runs);
        problems.extend(others.filter_map(|one| exhibits.check(&root(), one).err()).map(|error| format!("{error:#}")));
    }
    fail_on(problems);
}

#[test]
fn whatever_a_page_shows_is_an_exhibit_and_every_exhibit_is_shown() {
    let known: BTreeSet<_> = all().into_iter().flat_map(|one| one.all).map(|one| one.file).collect();
    let (mut shown, mut problems) = (BTreeSet::new(), Vec::new());
    for page in tracked().iter().filter(|file| file.starts_with("book/src/") && file.ends_with(".md")) {
        for directive in read(page).split("{{#shown ").skip(1).filter_map(|rest| rest.split_once("}}")) {
            let Some((name, file)) = directive.0.split_once(' ') else { continue };
            let folder = if name == LEAK_TEST { "crates/leakcheck".to_owned() } else { format!("scenarios/{name}") };
            shown.insert(format!("{folder}/{file}"));
        }
    }
    problems
        .extend(shown.difference(&known).map(|file| format!("{file} is shown and is no exhibit: see CONTRIBUTING.md")));
    // Recordings and screens have directives of their own, which every chapter has.
    let own = known.iter().filter(|file| !file.starts_with("book/"));
    problems.extend(own.filter(|file| !shown.contains(*file)).map(|file| format!("no page shows {file}: delete it")));
    fail_on(problems);
}

#[test]
fn a_drawing_beside_a_recording_is_of_that_recording() {
    for one in subjects() {
        let Ok(drawn) = fs::read_to_string(root().join(format!("book/recordings/{}.svg", one.name))) else { continue };
        let now = chart::divergence(&recording::load(&root(), &one.name).unwrap()).unwrap();
        assert_eq!(drawn, now, "run `cargo lab record {}`", one.name);
    }
}

/// The workbook's own files that exhibits are made from, copied, so that each can be touched.
fn copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let is_needed = |file: &String| {
        [
            "scenarios/",
            "controls/",
            "exercises/",
            "crates/exercise/",
            "crates/stage/",
            "crates/leakcheck",
            "Cargo.lock",
            "scripts/pair",
        ]
        .iter()
        .any(|part| file.starts_with(part))
    };
    for file in tracked().into_iter().filter(is_needed) {
        let to = copy.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(&file), to).unwrap();
    }
    copy
}

fn touched(root: &Path, file: &str, check: impl Fn()) {
    let file = root.join(file);
    let before = fs::read(&file).unwrap();
    fs::write(&file, [before.as_slice(), b"\n"].concat()).unwrap();
    check();
    fs::write(&file, before).unwrap();
}

#[test]
fn a_touched_source_makes_every_exhibit_of_every_scenario_stale() {
    let copy = copy();
    for exhibits in all() {
        for kind in exhibits.all.iter().map(|one| one.kind).collect::<BTreeSet<_>>() {
            let ingredients = exhibits.ingredients(kind);
            let now = || ingredients.now(copy.path()).unwrap();
            let made_by: MadeBy = today::made_by(now()).unwrap();
            made_by.check(&now()).unwrap();
            let (expected, found) = (sources_of(&exhibits, kind), ingredients.files(copy.path()).unwrap());
            let forgotten: Vec<_> = expected.iter().filter(|file| !found.contains(*file)).collect();
            assert!(forgotten.is_empty(), "{forgotten:?} make the {kind} of {}", exhibits.name);
            for file in one_of_each_folder(&expected) {
                touched(copy.path(), file, || {
                    let said = made_by.check(&now()).unwrap_err().to_string();
                    assert_eq!(said, "is older than its sources", "{file} makes the {kind} of {}", exhibits.name);
                });
            }
            // What was made is no source: a renewed table must not make its neighbours stale.
            let made = exhibits.all.iter().find(|one| found.contains(&one.file));
            assert_eq!(made, None, "{}", exhibits.name);
        }
    }
}

/// Each folder counts by itself; in one folder, files count alike.
fn one_of_each_folder(files: &[String]) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    files.iter().filter(|file| seen.insert(Path::new(*file).parent())).collect()
}

/// Files that must count: every Rust file and manifest of the scenario, the stage's, and for guards the leak checker's; of an exercise not
/// what the reader writes, nor a guard.
fn sources_of(exhibits: &Exhibits, kind: Kind) -> Vec<String> {
    let name = &exhibits.name;
    let counts = |file: &String| {
        let own = if name == LEAK_TEST { "crates/leakcheck/tests/page/" } else { &format!("{}/", exhibits.dir) };
        let is_exercise = own.starts_with("exercises/");
        if is_exercise
            && ["mine.rs", "guard.rs", "guard-solution.rs"].iter().any(|end| file.ends_with(&format!("/{end}")))
        {
            return false;
        }
        let stage = name != LEAK_TEST && file.starts_with("crates/stage/src/")
            || is_exercise && file.starts_with("crates/exercise/src/");
        let leakcheck = name == LEAK_TEST || kind == Kind::Guards;
        let leakcheck = leakcheck
            && (file.starts_with("crates/leakcheck/src/") || file.starts_with("crates/leakcheck-macros/src/"));
        let is_source = file.ends_with(".rs") || file.ends_with("Cargo.toml");
        is_source && !file.contains("/fuzz/") && (file.starts_with(own) || stage || leakcheck)
    };
    let found: Vec<_> = tracked().into_iter().filter(counts).collect();
    assert!(found.len() > 3, "{found:?}");
    found
}

#[test]
fn what_a_reader_writes_makes_no_exhibit_stale() {
    let copy = copy();
    for one in exercises() {
        let ingredients = Exhibits::of(&one.scenario).ingredients(Kind::Runs);
        let before = ingredients.now(copy.path()).unwrap();
        for file in ["mine.rs", "guard.rs", "kit.toml", "questions.toml"] {
            let file = format!("exercises/{}/{file}", one.name());
            touched(copy.path(), &file, || assert_eq!(ingredients.now(copy.path()).unwrap(), before, "{file}"));
        }
    }
}

#[test]
fn a_crate_that_a_scenario_asks_for_makes_its_exhibits_stale() {
    let copy = copy();
    let lock = read("Cargo.lock");
    for (name, kind, krate) in [
        ("unclosed-client", Kind::Runs, "tonic"),
        ("websocket-select", Kind::Screens, "tokio-tungstenite"),
        ("worker-pool-stop", Kind::Runs, "async-channel"),
        ("redis-parser", Kind::Tables, "criterion"),
        ("unconsumed-send", Kind::Guards, "console-subscriber"),
        (LEAK_TEST, Kind::Tables, "tokio"),
    ] {
        let exhibits = all().into_iter().find(|one| one.name == name).unwrap();
        let now = || exhibits.ingredients(kind).now(copy.path()).unwrap();
        let made_by = today::made_by(now()).unwrap();
        let entry = format!("name = \"{krate}\"\nversion = \"");
        fs::write(copy.path().join("Cargo.lock"), lock.replace(&entry, &format!("{entry}9"))).unwrap();
        let said = made_by.check(&now()).unwrap_err().to_string();
        assert!(said.starts_with(&format!("was made with {krate} ")), "{name}: {said}");
        fs::write(copy.path().join("Cargo.lock"), &lock).unwrap();
    }
}
