//! What pages say in words: terms and names that are used, incidents that can be looked up, no number of a run that somebody typed.

mod typed;

use std::{collections::BTreeSet, ops::Range};

use book::{api::Api, glossary::Glossary, running};

use crate::{fail_on, read, root, tracked};

/// Below it stand the incidents of a chapter, one to a list item.
const INCIDENTS: &str = "## It really happened";
/// So many digits of a commit's hash tell it.
const HASH_MIN: usize = 7;

/// How a word begins that stands for a directive.
const FILLED: &str = "xxxxxx";

/// A page of the book and its text, in which every directive is a word without meaning.
struct Page {
    name: String,
    text: String,
}

/// All pages that are written, the glossary left out.
fn pages() -> Vec<Page> {
    let name = |file: &String| file.strip_prefix("book/src/")?.strip_suffix(".md").map(str::to_owned);
    let names: Vec<_> =
        tracked().iter().filter_map(name).filter(|name| !["SUMMARY", "glossary"].contains(&&**name)).collect();
    names
        .into_iter()
        .map(|name| Page { text: without_directives(&read(format!("book/src/{name}.md"))), name })
        .collect()
}

fn without_directives(text: &str) -> String {
    let mut out = text.to_owned();
    while let Some(start) = out.find("{{#") {
        let Some(end) = out[start..].find("}}") else { break };
        out.replace_range(start..start + end + 2, &"x".repeat(end + 2));
    }
    out
}

#[test]
fn every_term_of_the_glossary_is_used_on_a_page() {
    let (glossary, pages) = (Glossary::read(&root()).unwrap(), pages());
    assert!(!glossary.terms.is_empty(), "book/glossary.toml has no terms");
    let used: BTreeSet<_> =
        pages.iter().flat_map(|page| glossary.uses(&page.name, &page.text)).map(|(_, one)| &one.term).collect();
    let unused = glossary.terms.iter().filter(|one| !used.contains(&one.term));
    let mut problems: Vec<_> = unused
        .map(|one| {
            format!("book/glossary.toml: no page says {}: use a form of it, or delete the term", one.forms.join(", "))
        })
        .collect();
    for one in glossary.terms.iter().filter(|one| !one.not_on.is_empty()) {
        let mut everywhere = Glossary { terms: vec![one.clone()] };
        everywhere.terms[0].not_on.clear();
        let says = |page: &&Page| !everywhere.uses(&page.name, &page.text).is_empty();
        let said: BTreeSet<_> = pages.iter().filter(says).map(|page| &page.name).collect();
        let stale = one.not_on.iter().filter(|page| !said.contains(page));
        problems.extend(
            stale.map(|page| {
                format!("book/glossary.toml: `{}` is not said on {page}: delete it from `not_on`", one.term)
            }),
        );
    }
    fail_on(problems);
}

#[test]
fn every_name_of_the_api_is_used_on_a_page() {
    let (api, pages) = (Api::read(&root()).unwrap(), pages());
    assert!(api.names().next().is_some(), "book/api.toml has no names");
    let is_used = |own, name| pages.iter().any(|page| api.is_used(own, name, &page.name, &page.text));
    let unused = api.names().filter(|(own, name)| !is_used(*own, name)).map(|(own, name)| {
        format!(
            "book/api.toml: `{name}` is a code span of {}: delete it",
            own.map_or("no page".into(), |own| format!("{own} no longer"))
        )
    });
    fail_on(unused.collect());
}

/// The items of the lists of a page that begin at a line's first column.
fn items(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut at, mut open) = (Vec::<Range<usize>>::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let begins = line.starts_with("- ");
        open = begins
            || (open
                && (line.starts_with(' ') || line.trim().is_empty() || !text[..at].ends_with("\n\n"))
                && !line.starts_with('#'));
        match found.last_mut() {
            _ if begins => found.push(at..at + line.len()),
            Some(last) if open => last.end = at + line.len(),
            _ => {}
        }
        at += line.len();
    }
    found
}

/// Whether a text names `owner/repository #1`, or a repository and a commit of it.
fn names_an_incident(text: &str) -> bool {
    let is_repository =
        |word: &str| word.split_once('/').is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty());
    let before_number =
        |at: usize| text[..at].rsplit(|c: char| c.is_whitespace() || "*([".contains(c)).next().unwrap_or_default();
    let numbered = text.match_indices(" #").any(|(at, mark)| {
        is_repository(before_number(at)) && text[at + mark.len()..].starts_with(|c: char| c.is_ascii_digit())
    });
    let is_hash = |word: &str| word.len() >= HASH_MIN && word.bytes().all(|c| c.is_ascii_hexdigit());
    let words = || text.split(|c: char| c.is_whitespace() || "*`()[],;:.".contains(c));
    numbered || (words().any(is_hash) && words().any(is_repository))
}

/// Whether a text has a year in parentheses: `(2024, Go)`.
fn names_a_year(text: &str) -> bool {
    let inside = text.split('(').skip(1).filter_map(|rest| rest.split_once(')')).map(|(inside, _)| inside);
    let is_year = |word: &str| word.len() == 4 && word.starts_with("20") && word.bytes().all(|c| c.is_ascii_digit());
    inside.flat_map(|inside| inside.split(|c: char| !c.is_alphanumeric())).any(is_year)
}

/// What is wrong with the incidents of a page.
fn incident_problems(page: &str, text: &str) -> Vec<String> {
    let Some(start) = text.find(INCIDENTS) else { return Vec::new() };
    let section = &text[start..];
    let section = &section[..section[2..].find("\n## ").map_or(section.len(), |end| end + 2)];
    let said = items(section).into_iter().filter_map(|item| {
        let item = &section[item];
        let missing = match (names_an_incident(item), names_a_year(item)) {
            (true, true) => return None,
            (false, _) => "owner/repository #n, or the repository and the commit",
            (_, false) => "a year in parentheses",
        };
        let first = item.lines().next().unwrap_or_default();
        Some(format!("{page}.md: this incident needs {missing}: {first}"))
    });
    said.collect()
}

#[test]
fn every_incident_can_be_looked_up() {
    let found =
        |items: &str| incident_problems("a", &format!("- x\n\n{INCIDENTS}\n\n{items}\n\n## Guard\n\n- x\n")).len();
    assert_eq!(found("- **a/b #1** (2024, Go). More\n  words.\n- **a/b**, commit `5f26981` (2019). More\n\nWords."), 0);
    assert_eq!(found("- **b #1** (2024)\n- **a/b #1** (Go)\n- a/b #x (2024)\n- a/b (2020)"), 4);
    fail_on(pages().iter().flat_map(|page| incident_problems(&page.name, &page.text)).collect());
}

/// Stretches of a page's running prose, without the incidents: their numbers stand in the issues that they name.
fn stretches(text: &str) -> Vec<Range<usize>> {
    let incidents: Vec<_> = items(text).into_iter().filter(|item| names_an_incident(&text[item.clone()])).collect();
    let all = running::of(text).words.into_iter();
    all.filter(|range| !incidents.iter().any(|item| item.contains(&range.start))).collect()
}
