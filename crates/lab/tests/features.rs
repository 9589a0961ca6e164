//! One build for every folder. Cargo takes the features that the chosen packages ask for, so a package that asks a shared crate
//! for fewer than the whole workbook does would build that crate, and all above it, a second time. `cargo run` in a scenario's folder,
//! `cargo lab` anywhere, and `cargo test` after either shall find what is built.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Command,
};

use evidence::{catalogue::Catalogue, root};

/// What programs and the lab are made of.
const PROGRAMS: &str = "normal,build";
/// The same, with what tests need besides.
const TESTS: &str = "normal,build,dev";

/// Each crate, by name and version, with the sets of features that it is built with: one for the host and one for the target may differ.
type Features = BTreeMap<String, BTreeSet<String>>;

/// What cargo would build of these packages.
fn features(packages: &[&str], edges: &str) -> Features {
    let mut command = Command::new("cargo");
    command.args(["tree", "--offline", "--edges", edges, "--prefix", "none", "--no-dedupe", "--format", "{p}|{f}"]);
    let output = command.args(packages).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let mut features = Features::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // An empty line stands between packages.
        let Some((name, with)) = line.split_once('|') else { continue };
        features.entry(name.replace(" (proc-macro)", "")).or_default().insert(with.to_owned());
    }
    features
}

/// What one selection builds otherwise than the other, of the crates in `shared`.
fn differences(what: &str, one: &Features, all: &Features, shared: &Features) -> Vec<String> {
    let differ = one.iter().filter(|(name, sets)| shared.contains_key(*name) && !sets.is_subset(&all[*name]));
    let differ = differ.map(|(name, sets)| {
        format!(
            "{what} builds {name} with {sets:?}, the workbook with {:?}: ask for the same in its Cargo.toml",
            all[name]
        )
    });
    differ.collect()
}

fn root() -> PathBuf {
    root::find().expect("the tests run inside the workbook")
}

#[test]
fn programs_and_tests_share_their_build_in_every_folder() {
    let all = features(&["--workspace"], PROGRAMS);
    let shared = features(&["--package", "stage"], PROGRAMS);
    assert!(shared.keys().any(|name| name.starts_with("tonic ")) && all.len() > shared.len(), "{shared:?}");
    let mut problems = differences("cargo test", &features(&["--workspace"], TESTS), &all, &all);
    // The lab's own tests are run in the root.
    for (krate, edges) in [("evidence", TESTS), ("book", TESTS), ("lab", PROGRAMS)] {
        let one = features(&["--package", krate], edges);
        problems.extend(differences(&format!("the folder of {krate}"), &one, &all, &all));
    }
    for scenario in Catalogue::read(&root()).unwrap().pairs() {
        for edges in [PROGRAMS, TESTS] {
            let one = features(&["--package", &scenario.name], edges);
            // What a scenario needs besides the stage is small, and its own.
            problems.extend(differences(&format!("the folder of {}", scenario.name), &one, &all, &shared));
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_crate_with_fewer_features_is_found_and_one_of_its_own_is_not() {
    let set = |pairs: &[(&str, &str)]| -> Features {
        pairs.iter().map(|(name, with)| ((*name).to_owned(), BTreeSet::from([(*with).to_owned()]))).collect()
    };
    let (all, shared) = (set(&[("a", "x,y"), ("b", "z"), ("c", "")]), set(&[("a", "x"), ("b", "z")]));
    assert_eq!(differences("p", &set(&[("a", "x,y"), ("b", "z")]), &all, &shared), [] as [String; 0]);
    assert_eq!(differences("p", &set(&[("a", "x"), ("c", "w")]), &all, &shared).len(), 1);
}

#[test]
fn the_lab_starts_in_every_folder_without_a_second_build() {
    let folders =
        ["scenarios/unconsumed-send", "scenarios", "crates/stage", "crates/lab/src", "book/src", "tests/browser"];
    for folder in folders {
        let output = Command::new("cargo").args(["lab", "list"]).current_dir(root().join(folder)).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{folder}: {words}");
        let built: Vec<_> = words.lines().filter(|line| line.trim_start().starts_with("Compiling")).collect();
        assert!(
            built
                .iter()
                .all(|line| ["stage", "evidence", "book", "lab"].iter().any(|own| line.contains(&format!(" {own} ")))),
            "{folder}: {words}"
        );
    }
}
