//! What stands in a kit, and what does not.

use std::process::Command;

use book::kit::{self, Files, Ingredients, Order, manifest, telling};
use lab::kit::write_files;

use crate::{kits, names, root};

/// Without a seed, and with two.
const SEEDS: [u64; 3] = [0, 1, 2];
/// Nothing of these is a candidate's: marks, guards, and the checker's own name.
const OURS: [&str; 6] = ["ANCHOR", "LEAK:", "FIX:", "cfg(test)", "leakcheck", "Run it: `cargo run --bin"];

fn candidate(of: &Ingredients, seed: u64) -> Files {
    let made = kit::candidate(of, Order { minutes: 45, seed }, of.given());
    made.unwrap_or_else(|error| panic!("{}: {error:#}", of.scenario.name))
}

fn fail_on(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_scenario_and_exercise_has_what_a_kit_needs() {
    let root = root();
    let missing = names().into_iter().filter_map(|(name, is_exercise)| {
        let file = kit::facts_file(&name, is_exercise);
        (!root.join(&file).is_file()).then(|| format!("{file} is missing: `exercises/upload-scan/kit.toml` is a model"))
    });
    fail_on(missing.collect());
}

#[test]
fn nothing_in_a_kit_tells() {
    let mut problems = Vec::new();
    for of in kits() {
        for seed in SEEDS {
            let files = candidate(&of, seed);
            for (path, text) in &files {
                let mut found = telling::words(path, &of.names);
                found.extend(telling::words(text, &of.names).into_iter().filter(|_| path != "Cargo.lock"));
                found.extend(OURS.iter().filter(|ours| text.contains(**ours)).map(|ours| (*ours).to_owned()));
                problems.extend(
                    found.into_iter().map(|word| format!("{} (seed {seed}): {path} has `{word}`", of.scenario.name)),
                );
            }
            let names = [manifest::PACKAGE, manifest::BIN, manifest::SIDE, lab::kit::CANDIDATE];
            let found = names.iter().flat_map(|name| telling::words(name, &of.names));
            problems.extend(found.map(|word| format!("the name of a kit's program has `{word}`")));
        }
    }
    fail_on(problems);
}

#[test]
fn a_telling_word_would_be_found() {
    let of = &kits()[0];
    let name = &of.scenario.name;
    for text in
        [format!("// see {name}"), "// the fix".to_owned(), "fn wrong_turn() {}".to_owned(), "\"LEAKS\"".to_owned()]
    {
        assert!(!telling::words(&text, &of.names).is_empty(), "{text}");
    }
}

#[test]
fn nouns_can_be_replaced() {
    let faults = kits().into_iter().flat_map(|of| {
        let name = of.scenario.name.clone();
        kit::noun_faults(&of).unwrap().into_iter().map(move |fault| format!("{name}: nouns: {fault}"))
    });
    fail_on(faults.collect());
}

#[test]
fn a_seed_changes_nouns_and_load_and_gives_the_same_kit_each_time() {
    let mut problems = Vec::new();
    for of in kits() {
        let [plain, one, again] = [0, 7, 7].map(|seed| candidate(&of, seed));
        assert_eq!(one, again, "{}", of.scenario.name);
        for path in [kit::MAIN, "Cargo.toml", "README.md"] {
            if plain[path] == one[path] {
                problems.push(format!("{}: a seed does not change {path}", of.scenario.name));
            }
        }
        assert!(plain.keys().eq(one.keys()), "{}: a seed changes no file's name", of.scenario.name);
    }
    fail_on(problems);
}

#[test]
fn a_kit_is_locked_as_it_is() {
    let mut problems = Vec::new();
    for of in kits() {
        // Outside the workbook, as a candidate has it.
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), &candidate(&of, 0)).unwrap();
        let arguments = ["metadata", "--format-version", "1", "--locked", "--offline"];
        let said = Command::new("cargo").args(arguments).current_dir(folder.path()).output().unwrap();
        if !said.status.success() {
            problems.push(format!("{}: {}", of.scenario.name, String::from_utf8_lossy(&said.stderr)));
        }
    }
    fail_on(problems);
}

#[test]
fn a_sheet_has_all_that_an_interviewer_needs_and_asks_no_other_file() {
    for of in kits() {
        for (minutes, seed) in [(20, 0), (45, 3)] {
            let order = Order { minutes, seed };
            let (html, name) = (kit::interviewer(&of, order).unwrap(), &of.scenario.name);
            for part in [
                &of.facts.waits[..8],
                "Time plan",
                "The way, and its points",
                "What to expect",
                "Accepted fixes",
                "Notes",
                "<ins>",
                "--verify",
            ] {
                let part = order.nouns(&of.facts).apply(part);
                let is_there = html.contains(&part)
                    || (part == "<ins>" && of.exercise.as_ref().is_some_and(|one| one.is_healthy()));
                assert!(is_there, "{name}: no `{part}`");
            }
            assert!(html.contains(&format!("{minutes} minutes")), "{name}");
            for foreign in ["<script", "http://", "https://", "src=\"", "href=\""] {
                let html = html.replace("http://www.w3.org/2000/svg", "");
                assert!(!html.contains(foreign), "{name}: a sheet of paper has no `{foreign}`");
            }
        }
    }
}
