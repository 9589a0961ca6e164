//! The teaching material is well formed: nothing is forgotten, nothing is left over, and names say the same everywhere.
//! Each failure says what to do.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use lab::{recording, root, scenario, scenario::Scenario};

/// The chapter template.
const HEADINGS: [&str; 10] = [
    "What you see",
    "Predict",
    "Run it",
    "Why",
    "What each instrument shows",
    "A wrong turn, measured",
    "The fix and its price",
    "It really happened",
    "Guard",
    "Questions",
];
const NAME_LENGTH_MAX: usize = 30;
const SCENARIO_LINES_MAX: usize = 160;
const CRATE_LINES_MAX: usize = 400;
/// What fits into a row of the card, and of the index of symptoms.
const QUESTION_MAX: usize = 60;
const SYMPTOM_MAX: usize = 90;
/// A screen of a diff, with the hunk marks.
const DIFF_LINES_MAX: usize = 60;

fn root() -> PathBuf {
    root::find().expect("the tests run inside the workbook")
}

fn scenarios() -> Vec<Scenario> {
    leakcheck::Checker::current_thread().assert(|| async { scenario::all(&root()).await }).unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Stems of the files with this extension in a folder.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
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

#[test]
fn every_folder_is_a_scenario_with_a_chapter_a_summary_line_a_recording_and_a_picture() {
    let (summary, names) = (read("book/src/SUMMARY.md"), scenarios());
    let found: BTreeSet<_> = names.iter().map(|one| one.name.clone()).collect();
    let mut problems = Vec::new();
    for entry in fs::read_dir(root().join("scenarios")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let folder = entry.file_name().to_string_lossy().into_owned();
        if !found.contains(&folder) {
            problems.push(format!("scenarios/{folder} is no package called {folder}: mend its Cargo.toml"));
        }
    }
    let (chapters, pictures) = (stems("book/src", "md"), stems("book/src/screens", "svg"));
    let recordings = stems("book/recordings", "json");
    for name in &found {
        if !chapters.contains(name) {
            problems.push(format!("{name} has no chapter: write book/src/{name}.md"));
        }
        if !summary.contains(&format!("({name}.md)")) {
            problems.push(format!("{name} is not in book/src/SUMMARY.md: add a line"));
        }
        if !recordings.contains(name) || !pictures.contains(name) {
            problems.push(format!("{name} has no recording or no picture: run `cargo lab record {name}`"));
        }
    }
    for chapter in chapters.iter().filter(|chapter| *chapter != "SUMMARY") {
        if !summary.contains(&format!("({chapter}.md)")) {
            problems.push(format!("book/src/{chapter}.md is not in SUMMARY.md: add a line, or delete the page"));
        }
    }
    let extra: BTreeSet<_> = found.iter().map(String::as_str).chain(["claims", "divergence"]).collect();
    for left in recordings.iter().chain(&pictures).filter(|name| !extra.contains(name.as_str())) {
        problems.push(format!("{left} has a recording or a picture and is no scenario: delete them"));
    }
    fail_on(problems);
}

#[test]
fn names_are_kebab_case_short_and_without_numbers() {
    let is_name = |name: &str| {
        name.len() <= NAME_LENGTH_MAX
            && name.split('-').all(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase()))
    };
    assert!(!is_name("Unclosed-pipe") && !is_name("pipe-2") && !is_name("pipe--x") && is_name("unclosed-pipe"));
    let problems = scenarios().into_iter().flat_map(|one| {
        let names = std::iter::once(one.name.clone()).chain(one.sides.iter().cloned());
        names.filter(|name| !is_name(name)).map(|name| format!("rename `{name}` of {}", one.name)).collect::<Vec<_>>()
    });
    fail_on(problems.collect());
}

#[test]
fn every_side_has_a_source_a_statement_one_marker_and_the_line_that_runs_it() {
    let mut problems = Vec::new();
    for one in scenarios() {
        for needed in ["leak", "fix"] {
            if !one.sides.iter().any(|side| side == needed) {
                problems.push(format!("{} has no {needed}.rs as a binary", one.name));
            }
        }
        let stated: BTreeSet<_> = one.lab.survivors.keys().collect();
        if stated != one.sides.iter().collect() {
            problems.push(format!("{}: [package.metadata.lab.survivors] and the binaries name other sides", one.name));
        }
        for side in &one.sides {
            let path = format!("scenarios/{}/{side}.rs", one.name);
            let text = read(&path);
            let count = |marker: &str| text.lines().filter(|line| line.trim_start().starts_with(marker)).count();
            let leaks = one
                .lab
                .survivors
                .get(side)
                .and_then(|stated| stated.get(&one.lab.gauge))
                .is_some_and(|stated| stated.grows());
            let expected = if leaks { (1, 0) } else { (0, 1) };
            if (count("// LEAK: "), count("// FIX: ")) != expected {
                problems.push(format!(
                    "{path}: needs exactly one {} line",
                    if leaks { "`// LEAK: `" } else { "`// FIX: `" }
                ));
            }
            if !text.contains(&format!("//! Run it: `cargo run --bin {}`\n", one.bin(side))) {
                problems.push(format!(
                    "{path}: the module doc needs the line \"Run it: `cargo run --bin {}`\"",
                    one.bin(side)
                ));
            }
            if text.lines().count() > SCENARIO_LINES_MAX {
                problems.push(format!("{path}: more than {SCENARIO_LINES_MAX} lines"));
            }
        }
    }
    fail_on(problems);
}

#[test]
fn leak_and_fix_have_one_guard_and_every_guard_is_a_leak_test() {
    let mut problems = Vec::new();
    for one in scenarios() {
        for side in &one.sides {
            let path = format!("scenarios/{}/{side}.rs", one.name);
            let text = read(&path);
            let leaks =
                one.lab.survivors.get(side).and_then(|stated| stated.get(&one.lab.gauge)).is_some_and(|it| it.grows());
            let problem = match guard(&text) {
                None if ["leak", "fix"].contains(&side.as_str()) => "needs a test between `ANCHOR: guard` and its end",
                Some(guard) if !guard.contains("#[leakcheck::test") => "its guard must be a `#[leakcheck::test]`",
                Some(guard) if guard.contains("#[should_panic(") != leaks => {
                    "`#[should_panic]` is for a side that leaks"
                }
                _ if text.contains("#[tokio::test") => "a test must be a `#[leakcheck::test]`, to name what is left",
                _ => continue,
            };
            problems.push(format!("{path}: {problem}"));
        }
        let [leak, fix] = ["leak", "fix"].map(|side| read(format!("scenarios/{}/{side}.rs", one.name)));
        let body = |text| guard(text).and_then(|guard| guard.split_once("async fn ")).map(|(_, body)| body.to_owned());
        if body(&leak) != body(&fix) {
            problems.push(format!("{}: the guards of leak.rs and fix.rs must be the same test", one.name));
        }
    }
    fail_on(problems);
}

/// What a chapter shows of a side's test.
fn guard(text: &str) -> Option<&str> {
    let (_, guard) = text.split_once("// ANCHOR: guard\n")?;
    Some(guard.split_once("// ANCHOR_END: guard\n")?.0)
}

#[test]
fn the_diff_of_leak_and_fix_fits_one_screen() {
    let problems = scenarios().into_iter().filter_map(|one| {
        let [leak, fix] = ["leak", "fix"].map(|side| fs::read_to_string(one.source(side)).unwrap());
        let diff = similar::TextDiff::from_lines(&leak, &fix);
        let changed = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal).count();
        (changed > DIFF_LINES_MAX).then(|| format!("{}: {changed} lines differ, at most {DIFF_LINES_MAX}", one.name))
    });
    fail_on(problems.collect());
}

#[test]
fn every_chapter_follows_the_template_and_shows_its_own_scenario() {
    let mut problems = Vec::new();
    for one in scenarios() {
        let (name, text) = (&one.name, read(format!("book/src/{}.md", one.name)));
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        if headings != HEADINGS {
            problems.push(format!("{name}.md: the headings must be {}", HEADINGS.join(" · ")));
        }
        let needed = [
            format!("{{{{#chart {name}"),
            format!("{{{{#diff {name} "),
            format!("{{{{#sides {name}"),
            format!("{{{{#screen {name}"),
            format!("{{{{#survivors {name} leak"),
            format!("cargo run --bin {name}-leak"),
            format!("cargo run --bin {name}-fix"),
            format!("cargo lab pair {name}"),
            format!("scripts/pair {name}"),
            format!("scenarios/{name}/fix.rs:guard"),
            format!("scenarios/{name}/guard.txt"),
        ];
        problems.extend(
            needed.iter().filter(|one| !text.contains(*one)).map(|one| format!("{name}.md: `{one}` is missing")),
        );
        let answers = text.matches("<summary>Answer</summary>").count();
        if answers != 3 {
            problems.push(format!("{name}.md: {answers} folded answers to questions instead of 3"));
        }
    }
    fail_on(problems);
}

#[test]
fn every_command_in_the_pages_exists() {
    let all = scenarios();
    let bins: BTreeSet<_> = all.iter().flat_map(|one| one.sides.iter().map(|side| one.bin(side))).collect();
    let names: BTreeSet<_> = all.iter().map(|one| one.name.clone()).collect();
    let others = ["lab", "claims", "claims-console"];
    let mut problems = Vec::new();
    for file in tracked().iter().filter(|file| file.ends_with(".md") && !file.contains("/template/")) {
        let text = read(file);
        let word_after = |command: &'static str| {
            let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
            text.split(command).skip(1).map(move |rest| rest.split(|c| !is_name(c)).next().unwrap_or("").to_owned())
        };
        // `NAME`, `<name>` and the like stand for a name and are no name.
        let unknown_bin = |bin: &String| !bin.is_empty() && !bins.contains(bin) && !others.contains(&bin.as_str());
        problems.extend(
            word_after("cargo run --bin ").filter(unknown_bin).map(|bin| format!("{file}: there is no binary {bin}")),
        );
        for command in ["cargo lab pair ", "scripts/pair ", "cargo lab record "] {
            let unknown = |name: &String| !name.is_empty() && !name.starts_with('-') && !names.contains(name);
            problems.extend(
                word_after(command).filter(unknown).map(|name| format!("{file}: `{command}{name}` names no scenario")),
            );
        }
    }
    fail_on(problems);
}

#[test]
fn every_recording_is_as_new_as_its_sources_and_versions() {
    let check = |one: Scenario| recording::check_fresh(&root(), &one).err().map(|error| format!("{error:#}"));
    fail_on(scenarios().into_iter().filter_map(check).collect());
}

#[test]
fn versions_are_said_once_in_the_root_manifest() {
    let mut problems = Vec::new();
    for file in tracked().iter().filter(|file| file.ends_with("Cargo.toml") && file.contains('/')) {
        if file.contains("/fixture/") || file.contains("/fixtures/") || file.contains("/template/") {
            continue;
        }
        let manifest: toml::Table = read(file).parse().unwrap();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = manifest.get(table).and_then(toml::Value::as_table);
            for (name, dependency) in dependencies.into_iter().flatten() {
                if dependency.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    problems.push(format!("{file}: `{name}` must be `{name}.workspace = true`"));
                }
            }
        }
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none() {
            problems.push(format!("{file}: needs [lints] workspace = true"));
        }
    }
    fail_on(problems);
}

#[test]
fn what_a_scenario_says_for_the_card_is_short() {
    let mut problems = Vec::new();
    for one in scenarios() {
        let file = format!("scenarios/{}/Cargo.toml", one.name);
        let manifest: toml::Table = read(&file).parse().unwrap();
        let card = &manifest["package"]["metadata"].get("card");
        let Some(card) = card else {
            problems.push(format!("{file}: needs [package.metadata.card], as in scripts/template/Cargo.toml"));
            continue;
        };
        let words = |key: &str| card[key].as_str().unwrap_or_default();
        if !words("question").ends_with('?') || words("question").len() > QUESTION_MAX {
            problems.push(format!("{file}: `question` must be one, of at most {QUESTION_MAX} characters"));
        }
        for symptom in card["symptoms"].as_array().into_iter().flatten().filter_map(toml::Value::as_str) {
            if !symptom.ends_with('.') || symptom.len() > SYMPTOM_MAX {
                problems
                    .push(format!("{file}: a symptom is a sentence of at most {SYMPTOM_MAX} characters: {symptom}"));
            }
        }
    }
    fail_on(problems);
}

#[test]
fn the_leak_checker_needs_nothing_of_this_workbook() {
    for one in ["leakcheck", "leakcheck-macros"] {
        let manifest: toml::Table = read(format!("crates/{one}/Cargo.toml")).parse().unwrap();
        for table in ["dependencies", "dev-dependencies"] {
            let needed = manifest.get(table).and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys());
            let ours: Vec<_> = needed.filter(|name| ["stage", "lab", "claims"].contains(&name.as_str())).collect();
            assert!(ours.is_empty(), "crates/{one} needs {ours:?}: then nobody can take it elsewhere");
        }
    }
}

#[test]
fn crate_files_are_short_enough_to_read() {
    let is_source = |file: &String| file.starts_with("crates/") && file.ends_with(".rs");
    let problems = tracked().into_iter().filter(is_source).filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > CRATE_LINES_MAX).then(|| format!("{file}: {lines} lines, at most {CRATE_LINES_MAX}: split it"))
    });
    fail_on(problems.collect());
}

#[test]
fn no_list_of_scenarios_exists_outside_the_summary() {
    let names: Vec<_> = scenarios().into_iter().map(|one| one.name).collect();
    let is_code = |file: &String| {
        (file.starts_with("crates/") || file.starts_with("scripts/") || file.starts_with(".ci/"))
            && !file.contains("/tests/")
    };
    let problems = tracked().into_iter().filter(is_code).filter_map(|file| {
        let text = fs::read_to_string(root().join(&file)).ok()?;
        let named: Vec<_> = names.iter().filter(|name| text.contains(*name)).collect();
        // One or two serve as examples in a comment or a unit test.
        (named.len() > 3).then(|| format!("{file} names {named:?}: find them through cargo metadata instead"))
    });
    fail_on(problems.collect());
}

#[test]
fn the_book_is_built_outside_its_sources() {
    let config: toml::Table = read("book.toml").parse().unwrap();
    let folder = config["build"]["build-dir"].as_str().unwrap();
    assert!(folder.starts_with("target/"), "mdBook empties {folder} before it writes");
}
