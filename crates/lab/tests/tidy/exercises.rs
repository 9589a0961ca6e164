//! Each exercise has what it needs, gives nothing away, and can be practised, asked about and handed out.

use std::{collections::BTreeSet, fs};

use evidence::{
    catalogue::Catalogue,
    exercise::{Exercise, MINE, SOLUTION, START, TRAP, guard_text},
};
use serde::Deserialize;

use crate::{fail_on, modules::without_tests, read, root, scenarios, tracked};

/// Lines of a service: one that is read within the time of a practice.
const LINES: std::ops::RangeInclusive<usize> = 80..=250;
/// A blind one is no shorter: there must be room for what is innocent.
const BLIND_LINES_MIN: usize = 200;
const BLIND: u8 = 3;
const SOLUTIONS_MIN: usize = 2;
const TRAPS_MIN: usize = 4;
/// Units of work, and for how long four times as many are offered: a check takes seconds.
const UNITS: std::ops::RangeInclusive<u64> = 20..=60;
const LOAD_SECONDS_MAX: f64 = 1.5;
/// A unit that takes less than this multiple of the solution's time may be the machine's doing.
const LATENCY_MIN: f64 = 2.0;
/// What a text for somebody who looks for the mistake must not say, as the beginning of a word or as a word.
const TELLING_STEMS: [&str; 1] = ["leak"];
const TELLING: [&str; 16] = [
    "fix",
    "fixed",
    "fixes",
    "fixing",
    "wrong",
    "wrongly",
    "trap",
    "traps",
    "trapped",
    "solution",
    "solutions",
    "bug",
    "bugs",
    "mistake",
    "mistakes",
    "culprit",
];
/// A question of the diagnosis, and what all questions have.
const DIAGNOSIS: [&str; 2] = ["waits", "holder"];
const OPTIONS: usize = 4;

pub(crate) fn exercises() -> Vec<Exercise> {
    let catalogue = Catalogue::read(&root()).unwrap();
    assert!(catalogue.broken.is_empty(), "{:?}", catalogue.broken);
    assert!(!catalogue.exercises.is_empty(), "there is no exercise");
    catalogue.exercises
}

/// Their names, for other tests.
pub(crate) fn names() -> Vec<String> {
    exercises().into_iter().map(|one| one.name().to_owned()).collect()
}

/// The text of one of an exercise's files.
fn text(one: &Exercise, file: &str) -> String {
    read(format!("exercises/{}/{file}", one.name()))
}

/// What every exercise must not do.
fn each(problems: impl Fn(&Exercise) -> Vec<String>) {
    fail_on(
        exercises()
            .iter()
            .flat_map(|one| problems(one).into_iter().map(|why| format!("{}: {why}", one.name())))
            .collect(),
    );
}

#[test]
fn every_folder_is_an_exercise_with_a_name_of_its_own() {
    let mut problems = Vec::new();
    let found: BTreeSet<_> = names().into_iter().collect();
    for entry in fs::read_dir(root().join("exercises")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let folder = entry.file_name().to_string_lossy().into_owned();
        if !found.contains(&folder) {
            problems.push(format!("exercises/{folder} is no package called {folder}: mend its Cargo.toml"));
        }
    }
    let taken = scenarios().into_iter().filter(|one| found.contains(&one.name));
    problems.extend(taken.map(|one| format!("{} is a scenario and an exercise: rename one", one.name)));
    fail_on(problems);
}

#[test]
fn mine_is_start() {
    each(|one| {
        problem(
            text(one, "mine.rs") != text(one, "start.rs"),
            "mine.rs must be pristine in a commit: `git restore --staged --worktree` it, or copy start.rs to it",
        )
    });
}

fn problem(is_so: bool, why: impl Into<String>) -> Vec<String> {
    if is_so { vec![why.into()] } else { Vec::new() }
}

#[test]
fn the_guard_is_empty_and_only_start_and_mine_have_one() {
    each(|one| {
        let words = |text: &str| text.replace("//!", " ").split_whitespace().collect::<Vec<_>>().join(" ");
        let mut problems = problem(
            words(&text(one, "guard.rs")) != words(&guard_text(one.name())),
            "guard.rs must be pristine in a commit: `git restore --staged --worktree` it",
        );
        problems
            .extend(problem(!one.scenario.dir.join("guard-solution.rs").is_file(), "there is no guard-solution.rs"));
        for side in one.scenario.side_names() {
            let has = text(one, &format!("{side}.rs")).contains("#[cfg(test)]\nmod guard;");
            let must = [START, MINE].contains(&side.as_str());
            // Where nothing is wrong, a guard must fail on something: on a trap that keeps too much.
            let may = one.is_healthy() && side.starts_with(TRAP);
            problems.extend(problem(
                has != must && !may,
                format!("{side}.rs: `mod guard` stands in start and mine, and nowhere else"),
            ));
        }
        problems
    });
}

#[test]
fn there_are_solutions_to_compare_and_traps_to_fall_into() {
    each(|one| {
        let (solutions, traps) = (one.solutions().count(), one.traps().count());
        let mut problems = problem(traps < TRAPS_MIN, format!("{traps} traps, at least {TRAPS_MIN}"));
        if one.is_healthy() {
            let same = text(one, "solution.rs") == as_solution(one);
            problems.extend(problem(!same, "it is healthy, so solution.rs is start.rs"));
        } else {
            problems
                .extend(problem(solutions < SOLUTIONS_MIN, format!("{solutions} solutions, at least {SOLUTIONS_MIN}")));
        }
        let texts: BTreeSet<_> = one.proven().map(|side| text(one, &format!("{side}.rs"))).collect();
        problems.extend(problem(texts.len() < one.proven().count(), "two sides are the same text"));
        problems
    });
}

/// `start.rs` without what is the reader's, as the solution of an exercise in which nothing is wrong.
fn as_solution(one: &Exercise) -> String {
    let start = text(one, "start.rs").replace(&one.scenario.bin(MINE), &one.scenario.bin(SOLUTION));
    start.replace("#[cfg(test)]\nmod guard;\n\n", "")
}

#[test]
fn every_file_is_a_side_or_known_and_no_side_costs_a_harness() {
    each(|one| {
        let sides: BTreeSet<_> = one.scenario.side_names().into_iter().collect();
        let known = ["world", "guard", "guard-solution"];
        let files = fs::read_dir(&one.scenario.dir).unwrap().flatten().map(|entry| entry.path());
        let stems = files
            .filter(|file| file.extension().is_some_and(|end| end == "rs"))
            .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned());
        let unknown = stems.filter(|stem| !sides.contains(stem) && !known.contains(&stem.as_str()));
        let mut problems: Vec<_> =
            unknown.map(|stem| format!("{stem}.rs is no side: give it a [[bin]], or delete it")).collect();
        let manifest: toml::Table = text(one, "Cargo.toml").parse().unwrap();
        for bin in manifest["bin"].as_array().unwrap() {
            let tested = bin.get("test").and_then(toml::Value::as_bool) != Some(false);
            problems.extend(problem(tested, format!("{}: a side has `test = false`", bin["name"])));
        }
        problems
    });
}

#[test]
fn a_service_is_as_long_as_its_level_asks_for_and_its_load_is_short() {
    each(|one| {
        let (lines, statement) = (text(one, "start.rs").lines().count(), &one.scenario.statement);
        let least = if one.facts.level == BLIND { BLIND_LINES_MIN } else { *LINES.start() };
        let seconds = (4 * statement.units) as f64 / statement.rate;
        [
            problem(
                !(least..=*LINES.end()).contains(&lines),
                format!("start.rs has {lines} lines, from {least} to {}", LINES.end()),
            ),
            problem(
                !UNITS.contains(&statement.units),
                format!("{} units, from {} to {}", statement.units, UNITS.start(), UNITS.end()),
            ),
            problem(
                seconds > LOAD_SECONDS_MAX,
                format!("four times its units take {seconds:.1} s, at most {LOAD_SECONDS_MAX}"),
            ),
            problem(one.facts.latency < LATENCY_MIN, format!("latency is a multiple of {LATENCY_MIN} or more")),
        ]
        .concat()
    });
}

/// The words of a text, also those inside of names.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphabetic() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if c.is_alphabetic() {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

fn telling(text: &str) -> BTreeSet<String> {
    let tells =
        |word: &String| TELLING.contains(&word.as_str()) || TELLING_STEMS.iter().any(|stem| word.starts_with(stem));
    words(text).into_iter().filter(tells).collect()
}

#[test]
fn a_word_that_tells_is_found_in_names_and_not_in_other_words() {
    let found = |text: &str| telling(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(found("// The LEAK is here"), "leak");
    assert_eq!(found("fn leaky_fix() { let isWrong = trap_door(); }"), "fix leaky trap wrong");
    assert_eq!(found("prefix, suffix, strapped, resolution, debug, bleak"), "");
}

#[test]
fn nothing_that_a_reader_or_a_candidate_gets_tells_what_is_to_be_found() {
    each(|one| {
        let kit: toml::Table = text(one, "kit.toml").parse().unwrap();
        let texts = [
            ("start.rs", text(one, "start.rs")),
            ("world.rs", text(one, "world.rs")),
            ("kit.toml's task", kit["task"].as_str().unwrap_or_default().to_owned()),
            ("its description", one.scenario.about.clone()),
        ];
        let told = texts.iter().filter_map(|(what, text)| {
            let words: Vec<_> = telling(text).into_iter().collect();
            (!words.is_empty()).then(|| format!("{what} says {}", words.join(", ")))
        });
        told.collect()
    });
}

#[derive(Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    diagnosis: Option<String>,
    #[serde(default)]
    predict: bool,
    ask: String,
    #[serde(default)]
    proof: Vec<String>,
    option: Vec<Choice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    #[serde(default)]
    right: bool,
    text: String,
    reason: String,
}

#[test]
fn the_diagnosis_is_asked_for_with_one_right_option_and_a_reason_for_each() {
    each(|one| {
        let all: Questions = match toml::from_str(&text(one, "questions.toml")) {
            Ok(all) => all,
            Err(error) => return vec![format!("questions.toml: {}", error.message())],
        };
        let asked: Vec<_> = all.question.iter().filter_map(|question| question.diagnosis.as_deref()).collect();
        let mut problems =
            problem(asked != DIAGNOSIS, format!("questions.toml asks for {asked:?}, not for {DIAGNOSIS:?}"));
        for (at, question) in all.question.iter().enumerate() {
            let right = question.option.iter().filter(|one| one.right).count();
            let texts: BTreeSet<_> = question.option.iter().map(|one| one.text.trim()).collect();
            let whole = question.option.iter().all(|one| !one.text.trim().is_empty() && !one.reason.trim().is_empty());
            let four = question.option.len() == OPTIONS && texts.len() == OPTIONS && right == 1;
            problems.extend(problem(
                !four || !whole || question.ask.trim().is_empty(),
                format!(
                    "questions.toml: question {} has not four options, each with a reason, of which one is right",
                    at + 1
                ),
            ));
            problems
                .extend(problem(question.predict || !question.proof.is_empty(), "questions.toml: no run answers it"));
        }
        problems
    });
}

/// What `cargo lab kit` reads; its own test says whether it can be used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    task: String,
    nouns: Vec<Vec<String>>,
    waits: String,
    holder: String,
    ends: String,
    mid: Vec<String>,
    senior: Vec<String>,
    staff: Vec<String>,
}

#[test]
fn what_a_kit_needs_can_be_read() {
    each(|one| {
        let kit: Kit = match toml::from_str(&text(one, "kit.toml")) {
            Ok(kit) => kit,
            Err(error) => return vec![format!("kit.toml: {}", error.message())],
        };
        let sentences = [&kit.task, &kit.waits, &kit.holder, &kit.ends]
            .into_iter()
            .chain([&kit.mid, &kit.senior, &kit.staff].into_iter().flatten());
        let start = words(&text(one, "start.rs"));
        let mut problems =
            problem(sentences.into_iter().any(|sentence| sentence.trim().is_empty()), "kit.toml: a sentence is empty");
        for row in &kit.nouns {
            let stands =
                row.first().is_some_and(|noun| start.iter().any(|word| word.starts_with(&noun.to_lowercase())));
            let others: BTreeSet<_> = row.iter().collect();
            problems.extend(problem(
                !stands || others.len() < 2,
                format!("kit.toml: {row:?} is no noun of start.rs with another for it"),
            ));
        }
        problems
    });
}

#[test]
fn every_exercise_has_a_page_and_names_pages_that_teach_what_it_needs() {
    let summary = read("book/src/SUMMARY.md");
    let listed = |page: &str| summary.contains(&format!("({page}.md)"));
    each(|one| {
        let (name, chapters) = (one.name(), &one.facts.chapters);
        let mut problems = problem(!listed(name), "SUMMARY.md has no line for it: add one");
        problems.extend(problem(
            !root().join(format!("book/src/{name}.md")).is_file(),
            format!("write book/src/{name}.md"),
        ));
        problems.extend(problem(chapters.is_empty(), "exercise.chapters: at least one page"));
        problems.extend(
            chapters
                .iter()
                .filter(|page| !listed(page))
                .map(|page| format!("exercise.chapters: there is no page {page}")),
        );
        problems
    });
}

#[test]
fn the_line_that_adds_what_stays_is_in_the_service() {
    each(|one| {
        let stated = one.stated_line(&text(one, "start.rs"));
        let diagnosis = &one.facts.diagnosis;
        let both = diagnosis.gauge.is_some() == diagnosis.line.is_some();
        let mut problems = problem(!both, "exercise.diagnosis: `gauge` and `line` go together");
        problems.extend(problem(
            diagnosis.healthy && diagnosis.gauge.is_some(),
            "exercise.diagnosis: nothing stays where all is healthy",
        ));
        problems.extend(stated.err().map(|error| error.to_string()));
        problems
    });
}

#[test]
fn no_list_of_exercises_stands_in_code() {
    let names = names();
    let is_code = |file: &&String| {
        let is_source = file.starts_with("crates/") && file.contains("/src/") && file.ends_with(".rs");
        (is_source && !file.ends_with("/tests.rs")) || file.starts_with("scripts/") || file.starts_with("book/theme/")
    };
    let mut problems = Vec::new();
    for file in tracked().iter().filter(is_code) {
        let text = read(file);
        let named = names.iter().filter(|name| without_tests(&text).contains(name.as_str()));
        problems.extend(named.map(|name| format!("{file} names {name}: find exercises in their folder")));
    }
    fail_on(problems);
}
