//! Numbers about a run that somebody typed: they are wrong as soon as the code changes, and nothing says so.

use std::ops::Range;

use serde::Deserialize;

use super::{FILLED, Page, pages, stretches};
use crate::{fail_on, read};

/// From the root.
const FILE: &str = "crates/lab/tests/data/typed-numbers.toml";
/// So many words before and after a number make an entry that fits one place only.
const CONTEXT: usize = 3;
/// Numbers as words. `one` is no count: it says which.
const NUMBERS: [&str; 25] = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "hundred",
    "thousand",
];
/// Before a duration these are numbers too: `a second`.
const ONES: [&str; 6] = ["a", "an", "one", "half", "full", "every"];
const DURATIONS: [&str; 14] = [
    "ms",
    "millisecond",
    "milliseconds",
    "µs",
    "microseconds",
    "s",
    "second",
    "seconds",
    "minute",
    "minutes",
    "hour",
    "hours",
    "min",
    "secs",
];
const COUNTED: [&str; 43] = [
    "%",
    "bytes",
    "channels",
    "chapters",
    "claims",
    "clients",
    "commands",
    "connections",
    "copies",
    "cores",
    "descriptors",
    "events",
    "futures",
    "goroutines",
    "incidents",
    "KiB",
    "leaks",
    "lines",
    "locks",
    "messages",
    "MiB",
    "miles",
    "pages",
    "per",
    "percent",
    "pipes",
    "polls",
    "questions",
    "readers",
    "receivers",
    "requests",
    "rows",
    "scenarios",
    "searches",
    "senders",
    "sides",
    "sockets",
    "steps",
    "stops",
    "tables",
    "tasks",
    "threads",
    "times",
];
const MORE_COUNTED: [&str; 8] = ["turns", "units", "workers", "writers", "handles", "entries", "permits", "wakes"];
/// After `a second` that is a time: elsewhere it is the second of something.
const AFTER_A_SECOND: [&str; 12] =
    ["after", "and", "at", "before", "for", "in", "later", "long", "or", "the", "until", "while"];
/// Between a number and what it counts: `four of the rows`, `six live tasks`.
const NO_BRIDGE: [&str; 14] =
    ["and", "or", "in", "for", "to", "a", "an", "per", "at", "with", "by", "from", "is", "are"];
const OF: [&[&str]; 6] =
    [&["of"], &["of", "the"], &["of", "these"], &["of", "its"], &["of", "them", "are"], &["of", "our"]];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    typed: Vec<Entry>,
}

/// A number that may be typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    page: String,
    phrase: String,
    why: String,
}

/// Words of a stretch of prose, without the marks around them, and where each is.
fn words(text: &str, range: Range<usize>) -> Vec<(&str, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), range.start);
    for piece in text[range].split_inclusive(char::is_whitespace) {
        let word = piece.trim_matches(|c: char| !c.is_alphanumeric() && c != '%');
        if !word.is_empty() {
            let start = at + piece.find(word).unwrap_or_default();
            found.push((word, start..start + word.len()));
        }
        at += piece.len();
    }
    found
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_end_matches('%');
    let is_digits = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ".,–".contains(c));
    is_digits || word.split('-').all(|part| NUMBERS.contains(&part.to_lowercase().as_str()))
}

/// How many words stand between a number and what it counts.
fn gap(after: &[&str]) -> Option<usize> {
    let counts = |word: Option<&&str>| {
        word.is_some_and(|word| COUNTED.contains(word) || MORE_COUNTED.contains(word) || DURATIONS.contains(word))
    };
    let bridges = OF.iter().filter(|of| after.starts_with(of)).map(|of| of.len());
    let plain = after.first().filter(|word| !NO_BRIDGE.contains(word)).map(|_| 1);
    [0].into_iter().chain(plain).chain(bridges).find(|gap| counts(after.get(*gap)))
}

/// Whether words begin with a time: `second` may also be an ordinal.
fn is_duration(text: &str, words: &[(&str, Range<usize>)]) -> bool {
    let Some((word, at)) = words.first() else { return false };
    let goes_on = text[at.end..].starts_with(char::is_whitespace);
    let next = words.get(1).map_or("", |(next, _)| next);
    DURATIONS.contains(word) && (*word != "second" || !goes_on || next.is_empty() || AFTER_A_SECOND.contains(&next))
}

/// Where a page says a number of something that a run could decide.
fn typed(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for stretch in stretches(text) {
        let words = words(text, stretch);
        let plain: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        for (i, (word, range)) in words.iter().enumerate() {
            let duration = ONES.contains(&word.to_lowercase().as_str()) && is_duration(text, &words[i + 1..]);
            let last = if duration {
                Some(1)
            } else {
                is_number(word).then(|| gap(&plain[i + 1..])).flatten().map(|gap| gap + 1)
            };
            let whole = last
                .map(|last| range.start..words[i + last].1.end)
                .or_else(|| word.ends_with('%').then(|| range.clone()));
            found.extend(whole.filter(|whole| found.last().is_none_or(|before| before.end < whole.end)));
        }
    }
    found
}

/// A number with some words around it, on one line, as an entry of the list.
fn entry(page: &Page, number: &Range<usize>) -> String {
    let stretch =
        stretches(&page.text).into_iter().find(|stretch| stretch.contains(&number.start)).unwrap_or(number.clone());
    let mut words = words(&page.text, stretch);
    // What a directive yields is in no phrase, nor what stands behind it.
    let is_filled = |(word, _): &(&str, Range<usize>)| word.starts_with(FILLED);
    let end = words.iter().position(|word| is_filled(word) && word.1.start > number.start);
    words.truncate(end.unwrap_or(words.len()));
    let begin = words.iter().rposition(is_filled).map_or(0, |at| at + 1);
    words.drain(..begin);
    let first = words.iter().position(|(_, at)| at.end > number.start).unwrap_or(0).saturating_sub(CONTEXT);
    let last =
        words.iter().rposition(|(_, at)| at.start < number.end).map_or(0, |last| (last + CONTEXT).min(words.len() - 1));
    let phrase = &page.text[words[first].1.start..words[last].1.end];
    let phrase = phrase.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("\n[[typed]]\npage = \"{}\"\nphrase = {}\nwhy = \"\"", page.name, toml::Value::String(phrase))
}

/// Where a phrase stands, whatever parts its words.
fn places(text: &str, phrase: &str) -> Vec<Range<usize>> {
    let phrase: Vec<_> = phrase.split_whitespace().collect();
    let mut found = Vec::new();
    for (start, _) in text.match_indices(phrase.first().copied().unwrap_or("\0")) {
        let mut at = start;
        let fits = phrase.iter().enumerate().all(|(i, word)| {
            let rest = &text[at..];
            let spaces = rest.len() - rest.trim_start().len();
            let fits = (i == 0 || spaces > 0) && rest[spaces..].starts_with(word);
            at += if fits { spaces + word.len() } else { 0 };
            fits
        });
        found.extend(fits.then_some(start..at));
    }
    found
}

/// Numbers that are on no list, as entries for it; and entries that are wrong or no longer used.
fn check(pages: &[Page], list: &[Entry]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut used = vec![false; list.len()];
    for page in pages {
        let mine = || list.iter().enumerate().filter(|(_, one)| one.page == page.name);
        let allowed: Vec<_> = mine()
            .flat_map(|(i, one)| places(&page.text, &one.phrase).into_iter().map(move |place| (i, place)))
            .collect();
        for number in typed(&page.text) {
            let by: Vec<_> =
                allowed.iter().filter(|(_, place)| place.start <= number.start && number.end <= place.end).collect();
            by.iter().for_each(|(i, _)| used[*i] = true);
            if by.is_empty() {
                problems.push(entry(page, &number));
            }
        }
    }
    if !problems.is_empty() {
        let many = problems.len();
        problems.insert(0, format!("{many} number(s) are typed: take a {{{{#value …}}}}, {{{{#claim …}}}} or {{{{#const …}}}}, or add to {FILE}, with the reason:"));
    }
    let unused = list.iter().zip(used).filter(|(_, used)| !used).map(|(one, _)| one);
    problems.extend(
        unused.map(|one| format!("{FILE}: {}.md has no typed number in `{}`: delete the entry", one.page, one.phrase)),
    );
    let unsaid = list.iter().filter(|one| !one.why.contains(' '));
    problems.extend(unsaid.map(|one| format!("{FILE}: say why `{}` of {}.md may be typed", one.phrase, one.page)));
    problems
}

#[test]
fn a_typed_number_is_found_and_an_ordinary_word_is_not() {
    for (text, found) in [
        ("It waits for 250 ms, then half a second.", &["250 ms", "a second"][..]),
        ("Two tasks and six live tasks are left.", &["Two tasks", "six live tasks"]),
        ("Four of the rows have a\nchapter, twenty-four rows have none.", &["Four of the rows", "twenty-four rows"]),
        ("It costs 57.5 % of 1,200 requests, or 3%.", &["57.5 %", "1,200 requests", "3%"]),
        ("After its full second, three times.", &["full second", "three times"]),
        ("A second one starts a second task. The second task of two, a task, one task, in 2024, the fourth.", &[]),
        ("## Two tasks\n\n`two tasks`\n\n- **a/b #1** (2024). Two tasks.\n\n```text\ntwo tasks\n```\n", &[]),
    ] {
        let said: Vec<_> =
            typed(text).into_iter().map(|range| text[range].split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(said, found, "{text}");
    }
}

#[test]
fn a_number_needs_an_entry_and_an_entry_a_number_and_a_reason() {
    let page = || vec![Page { name: "a".into(), text: "So it waits for two\nseconds, and no longer here.".into() }];
    let entry = |phrase: &str, why: &str| vec![Entry { page: "a".into(), phrase: phrase.into(), why: why.into() }];
    let reason = "the limit of the code that is shown";
    assert!(check(&page(), &entry("waits for two seconds", reason)).is_empty());
    let missing = check(&page(), &[]).join("\n");
    assert!(
        missing.contains("page = \"a\"\nphrase = \"it waits for two seconds, and no longer\"\nwhy = \"\""),
        "{missing}"
    );
    let filled =
        vec![Page { name: "a".into(), text: super::without_directives("Is {{#value a}} of two tasks {{#value b}} x") }];
    assert!(check(&filled, &[]).join("").contains("phrase = \"of two tasks\""));
    assert!(check(&page(), &entry("two seconds", "")).join("").contains("say why `two seconds` of a.md"));
    assert!(check(&page(), &entry("waits for", reason)).join("").contains("has no typed number in `waits for`"));
    assert!(
        check(&page(), &entry("three seconds", reason)).join("").contains("has no typed number in `three seconds`")
    );
}

#[test]
fn no_number_of_a_run_is_typed() {
    let list: List = toml::from_str(&read(FILE)).unwrap_or_else(|error| panic!("{FILE}: {error}"));
    fail_on(check(&pages(), &list.typed));
}
