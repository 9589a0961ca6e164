//! Each scenario has what it needs, and says the same of itself everywhere.

use std::{collections::BTreeSet, fs, path::Path};

use evidence::{
    catalogue::Scenario,
    side::{self, Mark, Role, Side},
};

use crate::{fail_on, pairs, read, root, scenarios, tracked};

const NAME_LENGTH_MAX: usize = 30;
const SCENARIO_LINES_MAX: usize = 160;
/// What fits into a row of the card, and of the index of symptoms.
const QUESTION_MAX: usize = 60;
const SYMPTOM_MAX: usize = 90;
/// A screen of a diff, with the hunk marks.
const DIFF_LINES_MAX: usize = 60;
/// What another side may differ from the side it is nearest to.
const OTHER_DIFF_LINES_MAX: usize = 80;

/// One side, with its scenario and its file.
struct Source {
    one: Scenario,
    side: Side,
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let all = pairs().into_iter().flat_map(|one| one.sides.clone().into_iter().map(move |side| (one.clone(), side)));
    all.map(|(one, side)| {
        let path = format!("{}/{}.rs", one.folder(), side.name);
        let text = read(&path);
        Source { one, side, path, text }
    })
    .collect()
}

/// True when the side states that the gauge which tells the leak stays up.
fn leaks(one: &Scenario, side: &Side) -> bool {
    let stated = one.statement.survivors.get(&side.name);
    stated.and_then(|stated| stated.get(&one.statement.gauge)).is_some_and(|stated| stated.grows())
}

#[test]
fn every_folder_is_a_scenario_with_a_chapter_a_recording_and_a_picture() {
    let found: BTreeSet<_> = scenarios().into_iter().map(|one| one.name).collect();
    let mut problems = Vec::new();
    for entry in fs::read_dir(root().join("scenarios")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let folder = entry.file_name().to_string_lossy().into_owned();
        if !found.contains(&folder) {
            problems.push(format!("scenarios/{folder} is no package called {folder}: mend its Cargo.toml"));
        }
    }
    for name in &found {
        if !root().join(format!("book/src/{name}.md")).is_file() {
            problems.push(format!("{name} has no chapter: write book/src/{name}.md"));
        }
        for file in [format!("book/recordings/{name}.json"), format!("book/src/screens/{name}.svg")] {
            if !root().join(&file).is_file() {
                problems.push(format!("{file} is missing: run `cargo lab record {name}`"));
            }
        }
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
    let problems = pairs().into_iter().flat_map(|one| {
        let names = std::iter::once(one.name.clone()).chain(one.side_names());
        names.filter(|name| !is_name(name)).map(|name| format!("rename `{name}` of {}", one.name)).collect::<Vec<_>>()
    });
    fail_on(problems.collect());
}

#[test]
fn every_scenario_has_its_pair_and_states_every_side() {
    let mut problems = Vec::new();
    for one in pairs() {
        for needed in one.pair() {
            if one.side(needed).is_none() {
                problems.push(format!("{} has no {needed}.rs as a binary", one.name));
            }
        }
        if let (true, Some(control)) = (one.is_control(), one.side("control"))
            && (leaks(&one, control) || !one.side("leak").is_some_and(|twin| leaks(&one, twin)))
        {
            problems.push(format!("{}: the control states `at_most`, and its twin what is left per unit", one.name));
        }
        let stated: BTreeSet<_> = one.statement.survivors.keys().cloned().collect();
        if stated != one.side_names().into_iter().collect() {
            problems.push(format!("{}: [package.metadata.lab.survivors] and the binaries name other sides", one.name));
        }
    }
    fail_on(problems);
}

#[test]
fn every_side_has_a_sentence_one_mark_and_the_line_that_runs_it() {
    let mut problems = Vec::new();
    for Source { one, side, path, text } in sources() {
        let expected = match (leaks(&one, &side), one.is_control()) {
            (true, _) => Mark::Leak,
            (false, true) => Mark::Bound,
            (false, false) => Mark::Fix,
        };
        let marks: Vec<_> = text.lines().filter_map(side::marker).map(|(mark, _)| mark).collect();
        if marks != [expected] {
            let gauge = &one.statement.gauge;
            let why = if expected == Mark::Leak { "stays up" } else { "comes back, or has a bound" };
            problems.push(format!(
                "{path}: states that `{gauge}` {why}, so it needs exactly one `// {expected}: ` line and no other mark"
            ));
        }
        if side.sentence.is_none() {
            problems.push(format!("{path}: does not begin with a `//!` sentence"));
        }
        let run = format!("Run it: `cargo run --bin {}`", one.bin(&side.name));
        if !text.contains(&format!("//! {run}\n")) {
            problems.push(format!("{path}: the module doc needs the line \"{run}\""));
        }
        if text.lines().count() > SCENARIO_LINES_MAX {
            problems.push(format!("{path}: more than {SCENARIO_LINES_MAX} lines"));
        }
    }
    fail_on(problems);
}

#[test]
fn leak_and_fix_have_one_guard_and_every_guard_is_a_leak_test() {
    let mut problems = Vec::new();
    for Source { one, side, path, text } in sources() {
        let problem = match side::guard(&text) {
            None if [Role::Leak, Role::Fix].contains(&side.role) => "needs a test between `ANCHOR: guard` and its end",
            Some(guard) if one.is_control() => match guard.contains("Growth::of(") && guard.contains("Checker::") {
                true => continue,
                false => "its guard must judge by a `Checker` and by `Growth`",
            },
            Some(guard) if !guard.contains("#[leakcheck::test") => "its guard must be a `#[leakcheck::test]`",
            Some(guard) if guard.contains("#[should_panic(") != leaks(&one, &side) => {
                "`#[should_panic]` is for a side that leaks"
            }
            _ if text.contains("#[tokio::test") => "a test must be a `#[leakcheck::test]`, to name what is left",
            _ => continue,
        };
        problems.push(format!("{path}: {problem}"));
    }
    for one in pairs() {
        let [leak, fix] = one.pair().map(|side| fs::read_to_string(one.source(side)).unwrap());
        let body = |text| side::guard(text).and_then(|guard| guard.split_once("fn ")).map(|(_, body)| body.to_owned());
        if body(&leak) != body(&fix) {
            let [leak, other] = one.pair();
            problems.push(format!("{}: the guards of {leak}.rs and {other}.rs must be the same test", one.name));
        }
    }
    fail_on(problems);
}

#[test]
fn a_side_without_a_test_builds_no_test_harness() {
    let mut problems = Vec::new();
    for one in pairs() {
        let file = format!("{}/Cargo.toml", one.folder());
        let manifest: toml::Table = read(&file).parse().unwrap();
        for side in &one.sides {
            let bins = manifest["bin"].as_array().into_iter().flatten();
            let bin =
                bins.filter_map(toml::Value::as_table).find(|bin| bin["name"].as_str() == Some(&one.bin(&side.name)));
            let builds = bin.and_then(|bin| bin.get("test")).and_then(toml::Value::as_bool).unwrap_or(true);
            if builds != side.has_test {
                let repair =
                    if side.has_test { "remove `test = false`" } else { "add `test = false`: a harness costs a link" };
                problems.push(format!("{file}: {}: {repair}", one.bin(&side.name)));
            }
        }
    }
    fail_on(problems);
}

/// Lines that are in one text and not in the other.
fn changed(a: &str, b: &str) -> usize {
    let diff = similar::TextDiff::from_lines(a, b);
    diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal).count()
}

#[test]
fn the_diff_of_leak_and_fix_fits_one_screen() {
    let problems = pairs().into_iter().filter_map(|one| {
        let [leak, fix] = one.pair().map(|side| fs::read_to_string(one.source(side)).unwrap());
        let changed = changed(&leak, &fix);
        (changed > DIFF_LINES_MAX).then(|| format!("{}: {changed} lines differ, at most {DIFF_LINES_MAX}", one.name))
    });
    fail_on(problems.collect());
}

#[test]
fn no_side_drifts_away_from_all_others() {
    let all = sources();
    let problems = all.iter().filter_map(|this| {
        let others = all.iter().filter(|other| other.one.name == this.one.name && other.side.name != this.side.name);
        let nearest = others.map(|other| changed(&this.text, &other.text)).min()?;
        (nearest > OTHER_DIFF_LINES_MAX).then(|| {
            format!("{}: {nearest} lines differ from its nearest sibling, at most {OTHER_DIFF_LINES_MAX}", this.path)
        })
    });
    fail_on(problems.collect());
}

#[test]
fn what_a_scenario_says_for_the_card_is_short() {
    let mut problems = Vec::new();
    for one in scenarios() {
        let file = format!("scenarios/{}/Cargo.toml", one.name);
        let Some(card) = one.card else {
            problems.push(format!("{file}: needs [package.metadata.card], as in scripts/template/Cargo.toml"));
            continue;
        };
        if !card.question.ends_with('?') || card.question.len() > QUESTION_MAX {
            problems.push(format!("{file}: `question` must be one, of at most {QUESTION_MAX} characters"));
        }
        for symptom in card
            .symptoms
            .values()
            .flatten()
            .filter(|symptom| !symptom.ends_with('.') || symptom.chars().count() > SYMPTOM_MAX)
        {
            problems.push(format!("{file}: a symptom is a sentence of at most {SYMPTOM_MAX} characters: {symptom}"));
        }
    }
    fail_on(problems);
}

/// What cargo and git look for by itself, and a fuzzer's data.
fn needs_no_mention(rest: &str) -> bool {
    let name = rest.rsplit('/').next().unwrap_or(rest);
    ["Cargo.toml", "Cargo.lock", ".gitignore", "main.rs", "mod.rs", "shown.json"].contains(&name)
        || rest.contains("/corpus/")
        || (rest.starts_with("tests/") && rest.matches('/').count() == 1)
}

#[test]
fn a_scenario_holds_no_file_that_nothing_uses() {
    let all = tracked();
    let problems = all.iter().filter_map(|file| {
        let within = ["scenarios", "controls"].into_iter().find(|within| file.starts_with(&format!("{within}/")))?;
        let (scenario, rest) = file[within.len() + 1..].split_once('/')?;
        if needs_no_mention(rest) {
            return None;
        }
        let path = Path::new(file);
        let name = path.file_name()?.to_string_lossy();
        let module = format!("mod {};", path.file_stem()?.to_string_lossy().replace('-', "_"));
        let folder = format!("{within}/{scenario}/");
        let may_use =
            |other: &&String| **other != *file && (other.starts_with(&folder) || other.starts_with("book/src/"));
        let uses = |other: &String| {
            fs::read_to_string(root().join(other)).is_ok_and(|text| text.contains(&*name) || text.contains(&module))
        };
        let used = all.iter().filter(may_use).any(uses);
        (!used).then(|| format!("{file} is used by nothing: delete it, or name it where it is used"))
    });
    fail_on(problems.collect());
}
