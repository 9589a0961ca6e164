//! The pages follow the template, belong to something, and name only what exists.

use std::collections::BTreeSet;

use book::questions;

use crate::{exercises, fail_on, pairs, read, root, scenarios, tracked};

/// The chapter template.
const HEADINGS: [&str; 11] = [
    "What you see",
    "The code",
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
/// Prose of a page, without code, tables and what is filled in; with the asks and options of its questions.
const WORDS_MAX: usize = 1_200;

/// Stems of the files with this extension in a folder.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_page_and_picture_belongs_to_something() {
    let summary = read("book/src/SUMMARY.md");
    let names: BTreeSet<_> = pairs().into_iter().map(|one| one.name).chain(exercises::names()).collect();
    let mut problems = Vec::new();
    for chapter in stems("book/src", "md").iter().filter(|chapter| *chapter != "SUMMARY") {
        if !summary.contains(&format!("({chapter}.md)")) {
            problems.push(format!("book/src/{chapter}.md is not in SUMMARY.md: add a line, or delete the page"));
        }
    }
    for page in questions::pages(&root()).iter().filter(|page| !summary.contains(&format!("({page}.md)"))) {
        problems.push(format!("{} has no page in SUMMARY.md: delete it", questions::place(&root(), page)));
    }
    let (recordings, pictures) = (stems("book/recordings", "json"), stems("book/src/screens", "svg"));
    for left in recordings.iter().chain(&pictures).filter(|name| *name != "claims" && !names.contains(*name)) {
        problems.push(format!(
            "{left} has a recording or a picture and is neither scenario nor control nor exercise: delete them"
        ));
    }
    let prose: String = tracked().iter().filter(|file| file.ends_with(".md")).map(read).collect();
    for drawn in stems("book/recordings", "svg") {
        if !prose.contains(&format!("book/recordings/{drawn}.svg")) {
            problems.push(format!("book/recordings/{drawn}.svg is shown nowhere: delete it"));
        }
    }
    fail_on(problems);
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
            format!("{{{{#code {name} "),
            format!("{{{{#predict {name}}}}}"),
            format!("{{{{#questions {name}}}}}"),
            format!("{{{{#diff {name} "),
            format!("{{{{#sides {name}"),
            format!("{{{{#screen {name}"),
            format!("{{{{#survivors {name} leak"),
            format!("cargo run --bin {name}-leak"),
            format!("cargo run --bin {name}-fix"),
            format!("cargo lab pair {name}"),
            format!("scripts/pair {name}"),
            format!("scenarios/{name}/fix.rs:guard"),
            format!("{{{{#shown {name} guard.txt}}}}"),
        ];
        problems.extend(
            needed.iter().filter(|one| !text.contains(*one)).map(|one| format!("{name}.md: `{one}` is missing")),
        );
    }
    fail_on(problems);
}

/// What stands in `scripts/template` where somebody has to write.
const PLACEHOLDER: &str = "replace me";

#[test]
fn no_placeholder_is_kept() {
    for file in ["chapter.md", "questions.toml"] {
        assert!(read(format!("scripts/template/{file}")).to_lowercase().contains(PLACEHOLDER), "{file}");
    }
    let is_written = |file: &String| {
        ["book/src/", "book/questions/", "controls/", "scenarios/"].iter().any(|folder| file.starts_with(folder))
    };
    let problems = tracked().into_iter().filter(is_written).filter_map(|file| {
        let text = String::from_utf8(std::fs::read(root().join(&file)).ok()?).ok()?;
        let lines = text.lines().enumerate().filter(|(_, line)| line.to_lowercase().contains(PLACEHOLDER));
        let places: Vec<_> = lines.map(|(at, _)| (at + 1).to_string()).collect();
        (!places.is_empty()).then(|| format!("{file} still says \"{PLACEHOLDER}\" on line {}", places.join(", ")))
    });
    fail_on(problems.collect());
}

/// Words of prose: what stands outside code fences, tables, HTML and directives that stand alone.
fn words(page: &str) -> usize {
    let (mut count, mut fenced) = (0, false);
    for line in page.lines().map(str::trim) {
        let stands_alone = line.starts_with("{{#") && line.find("}}").is_some_and(|end| end + 2 == line.len());
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with(['|', '<']) && !stands_alone {
            count += words_of(line);
        }
    }
    count
}

/// A directive in the middle of a sentence is the one word that it becomes.
fn words_of(line: &str) -> usize {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, (_, after))) = rest.split_once("{{#").and_then(|(a, b)| Some((a, b.split_once("}}")?))) {
        text += before;
        text.push('0');
        rest = after;
    }
    (text + rest).split_whitespace().count()
}

/// Words of what a page asks. Reasons have a limit of their own.
fn asked(page: &str) -> usize {
    if !root().join(questions::place(&root(), page)).exists() {
        return 0;
    }
    let all = questions::read(&root(), page).questions.unwrap_or_default();
    let texts = all.iter().flat_map(|one| one.options.iter().map(|option| &option.text).chain([&one.ask]));
    texts.map(|text| words_of(text)).sum()
}

#[test]
fn a_page_is_no_longer_than_it_may_be() {
    assert_eq!(words("# One two\n```sh\nthree\n```\n| four |\n{{#chart x}}\n{{#value a b}} tasks\n"), 5);
    let problems = stems("book/src", "md").into_iter().filter_map(|page| {
        let (prose, asked) = (words(&read(format!("book/src/{page}.md"))), asked(&page));
        let sum = prose + asked;
        (sum > WORDS_MAX).then(|| {
            format!("{page}.md: {sum} words, at most {WORDS_MAX}: {prose} of the page, {asked} of asks and options")
        })
    });
    fail_on(problems.collect());
}

/// The scenario that CONTRIBUTING.md has its readers write.
const EXAMPLE: &str = "unread-mail";

#[test]
fn every_command_in_the_pages_exists() {
    let all = pairs();
    let mut bins: BTreeSet<_> = all.iter().flat_map(|one| one.sides.iter().map(|side| one.bin(&side.name))).collect();
    let mut names: BTreeSet<_> = all.iter().map(|one| one.name.clone()).collect();
    bins.extend(["leak", "fix"].map(|side| format!("{EXAMPLE}-{side}")));
    names.insert(EXAMPLE.to_owned());
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
            let is_subject =
                |name: &String| command.ends_with("record ") && ["claims", "leak-test"].contains(&name.as_str());
            let unknown = |name: &String| {
                !name.is_empty() && !name.starts_with('-') && !names.contains(name) && !is_subject(name)
            };
            problems.extend(
                word_after(command).filter(unknown).map(|name| format!("{file}: `{command}{name}` names no scenario")),
            );
        }
    }
    fail_on(problems);
}
