//! `book/glossary.toml`: what the book's words mean. `{{#glossary}}` shows all; on every other page the first use of a term leads there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::Path,
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{
    html,
    running::{self, Running},
};

/// From the root.
const FILE: &str = "book/glossary.toml";
/// The page with all terms.
const PAGE: &str = "glossary";

/// All terms of the book.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glossary {
    /// As they stand in the file.
    #[serde(default, rename = "term")]
    pub terms: Vec<Term>,
}

/// A word, and what the book means by it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Its name on the glossary's page.
    pub term: String,
    /// As it stands in a sentence; in backticks if it is always code.
    pub forms: Vec<String>,
    /// One to three sentences.
    pub means: String,
    /// Pages on which the word means something else.
    #[serde(default)]
    pub not_on: BTreeSet<String>,
}

impl Term {
    /// The fragment of its place: `cooperative-budget`.
    pub fn id(&self) -> String {
        let words = self.term.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-").to_lowercase()
    }

    fn check(&self) -> anyhow::Result<()> {
        let Self { term, forms, means, .. } = self;
        ensure!(!self.id().is_empty(), "a term has no name");
        ensure!(!forms.is_empty(), "the term `{term}` has no forms: write how it stands in a sentence");
        ensure!(means.ends_with('.'), "the meaning of `{term}` is no sentence: it ends without a full stop");
        let marks = ["*", "](", "{{", "<"].into_iter().find(|mark| means.contains(mark));
        ensure!(
            marks.is_none(),
            "the meaning of `{term}` has `{}`: of Markdown only backticks are known there",
            marks.unwrap_or_default()
        );
        let blank = forms.iter().find(|form| form.trim() != *form || form.is_empty());
        ensure!(blank.is_none(), "the term `{term}` has a form that is empty or has a space at its end");
        Ok(())
    }

    fn shown(&self) -> String {
        let (id, term, means) = (self.id(), html::prose(&self.term), html::prose(&self.means));
        format!("<dt id=\"{id}\">{term}</dt><dd>{means}</dd>")
    }

    /// The first sentence of its meaning, for whoever rests on the link.
    fn hint(&self) -> String {
        let first = self.means.split_inclusive(". ").next().unwrap_or_default();
        html::text(&first.trim_end().replace('`', ""))
    }
}

impl Glossary {
    /// Reads the terms; none where a book has no such file.
    ///
    /// # Errors
    /// When the file has a fault.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(root.join(FILE)) {
            Ok(text) => Self::parse(&text).with_context(|| FILE.to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context(FILE),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let all: Self = toml::from_str(text)?;
        let (mut ids, mut forms) = (BTreeSet::new(), BTreeMap::new());
        for one in &all.terms {
            one.check()?;
            ensure!(ids.insert(one.id()), "two terms would have the place `#{}`", one.id());
            for form in &one.forms {
                let other = forms.insert(form.to_lowercase(), &one.term);
                ensure!(other.is_none(), "`{form}` of `{}` is a form of `{}` already", one.term, other.unwrap_or(form));
            }
        }
        Ok(all)
    }

    /// The page's list, in alphabetical order.
    pub(super) fn list(&self) -> anyhow::Result<String> {
        ensure!(!self.terms.is_empty(), "there is no {FILE} with a `[[term]]`");
        let mut terms: Vec<_> = self.terms.iter().collect();
        terms.sort_by_key(|one| one.id());
        let all: String = terms.into_iter().map(Term::shown).collect();
        Ok(format!("<dl class=\"wb-glossary\">{all}</dl>"))
    }

    /// A chapter in which the first use of each term is a link. `page` is the chapter's path without its ending.
    pub(super) fn link(&self, page: &str, text: &str) -> String {
        if page == PAGE {
            return text.to_owned();
        }
        let up = "../".repeat(page.matches('/').count());
        let linked = self.uses(page, text).into_iter().map(|(range, one)| {
            let words = &text[range.clone()];
            let (id, hint) = (one.id(), one.hint());
            (range, format!("<a class=\"wb-term\" href=\"{up}{PAGE}.html#{id}\" title=\"{hint}\">{words}</a>"))
        });
        running::replaced(text, linked.collect())
    }

    /// Where a page uses each term for the first time.
    pub fn uses(&self, page: &str, text: &str) -> Vec<(Range<usize>, &Term)> {
        let Running { words, code } = running::of(text);
        let here: Vec<_> = self.terms.iter().filter(|one| !one.not_on.contains(page)).collect();
        let mut forms = Forms::new();
        for one in &here {
            for form in &one.forms {
                forms.entry(small_initial(form)).or_default().push((form, one));
            }
        }
        let mut all: Vec<_> = words.into_iter().flat_map(|range| in_words(text, range, &forms)).collect();
        for range in code {
            let span = &text[range.clone()];
            all.extend(
                here.iter().filter(|one| one.forms.iter().any(|form| form == span)).map(|one| (range.clone(), *one)),
            );
        }
        all.sort_by_key(|(range, _)| range.start);
        let mut seen = BTreeSet::new();
        all.retain(|(_, one)| seen.insert(&one.term));
        all
    }
}

/// Forms with their terms by the initial, so that few are tried at each word.
type Forms<'a> = BTreeMap<Option<char>, Vec<(&'a str, &'a Term)>>;

fn small_initial(text: &str) -> Option<char> {
    text.chars().next().and_then(|first| first.to_lowercase().next())
}

/// Every use in a stretch of words. Of two that begin at the same word the longer one counts, and nothing inside it.
fn in_words<'a>(text: &str, range: Range<usize>, forms: &Forms<'a>) -> Vec<(Range<usize>, &'a Term)> {
    let (mut found, mut at) = (Vec::new(), range.start);
    while let Some(start) = next_word(text, at..range.end) {
        let here = forms.get(&small_initial(&text[start..])).into_iter().flatten();
        let fits = here.filter_map(|(form, one)| Some((end_of(text, start..range.end, form)?, *one)));
        at = match fits.max_by_key(|(end, _)| *end) {
            Some((end, one)) => {
                found.push((start..end, one));
                end
            }
            None => start + text[start..].find(|c| !in_word(c)).unwrap_or(text.len() - start),
        };
    }
    found
}

/// What a word is made of, so that `half-open` is one.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Where the next word begins that is whole, and not the end of another.
fn next_word(text: &str, range: Range<usize>) -> Option<usize> {
    let rest = &text[range.clone()];
    let starts = rest.char_indices().filter(|(_, c)| in_word(*c)).map(|(at, _)| range.start + at);
    starts.into_iter().find(|at| !text[..*at].ends_with(in_word))
}

/// Where a form ends that begins here, if it stands here. Its words may be parted by a line's end; the first letter may be a capital.
fn end_of(text: &str, range: Range<usize>, form: &str) -> Option<usize> {
    let (rest, mut at) = (&text[range.clone()], 0);
    for (i, word) in form.split(' ').enumerate() {
        let gap = rest[at..].len() - rest[at..].trim_start().len();
        if i > 0 && gap == 0 {
            return None;
        }
        at += if i > 0 { gap } else { 0 };
        let there = rest.get(at..at + word.len())?;
        if there != word && !(i == 0 && is_capital_of(there, word)) {
            return None;
        }
        at += word.len();
    }
    let end = range.start + at;
    (!text[end..].starts_with(in_word)).then_some(end)
}

fn is_capital_of(there: &str, word: &str) -> bool {
    let (mut there, mut word) = (there.chars(), word.chars());
    let first = there.next().zip(word.next());
    first.is_some_and(|(there, word)| word.to_uppercase().eq([there])) && there.as_str() == word.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: &str = "[[term]]\nterm = \"worker\"\nforms = [\"worker\", \"workers\"]\nmeans = \"A thread. It polls `tasks`.\"\n\
        [[term]]\nterm = \"Worker pool\"\nforms = [\"worker pool\"]\nmeans = \"Some.\"\nnot_on = [\"b\"]\n\
        [[term]]\nterm = \"`biased`\"\nforms = [\"`biased`\"]\nmeans = \"In order.\"\n";

    fn linked(page: &str, text: &str) -> String {
        let mut text = Glossary::parse(TERMS).unwrap().link(page, text);
        for (from, to) in [
            (" title=\"A thread.\"", ""),
            (" title=\"Some.\"", ""),
            (" title=\"In order.\"", ""),
            ("<a class=\"wb-term\" href=\"glossary.html#", "<"),
        ] {
            text = text.replace(from, to);
        }
        text
    }

    #[test]
    fn the_first_use_of_each_term_is_a_link_and_no_other() {
        assert_eq!(linked("a", "Workers, a worker."), "<worker\">Workers</a>, a worker.");
        assert_eq!(
            linked("a", "a worker\n  pool, a worker"),
            "a <worker-pool\">worker\n  pool</a>, a <worker\">worker</a>"
        );
        assert_eq!(linked("a", "`x` `biased` is"), "`x` <biased\">`biased`</a> is");
        assert_eq!(linked("a", "| a |\n|--|\n| **worker** |"), "| a |\n|--|\n| **<worker\">worker</a>** |");
        assert_eq!(linked("b", "a worker pool"), "a <worker\">worker</a> pool");
    }

    #[test]
    fn parts_of_words_headings_code_links_html_and_the_glossary_itself_stay() {
        for text in [
            "co-worker worker_1 workerx WORKER",
            "# A worker",
            "`worker`",
            "[a worker](x.md)",
            "<p>worker</p>",
            "biased",
        ] {
            assert_eq!(linked("a", text), text);
        }
        assert_eq!(linked(PAGE, "worker"), "worker");
    }

    #[test]
    fn a_page_in_a_folder_leads_up_and_the_hint_is_one_sentence() {
        let text = Glossary::parse(TERMS).unwrap().link("x/a", "worker");
        assert_eq!(text, "<a class=\"wb-term\" href=\"../glossary.html#worker\" title=\"A thread.\">worker</a>");
    }

    #[test]
    fn the_list_is_in_alphabetical_order_with_a_place_for_each() {
        let list = Glossary::parse(TERMS).unwrap().list().unwrap();
        let ids: Vec<_> = list.split("<dt id=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
        assert_eq!(ids, ["biased", "worker", "worker-pool"]);
        assert!(list.contains("<dt id=\"biased\"><code>biased</code></dt><dd>In order.</dd>"), "{list}");
        assert!(Glossary::default().list().is_err());
    }

    #[test]
    fn a_fault_of_the_file_is_said() {
        let term = |rest: &str| format!("[[term]]\nterm = \"a b\"\n{rest}");
        let well = "forms = [\"a\"]\nmeans = \"A.\"\n";
        for (text, said) in [
            (term("forms = []\nmeans = \"A.\"\n"), "`a b` has no forms"),
            (term("forms = [\"a\"]\nmeans = \"A\"\n"), "ends without a full stop"),
            (term("forms = [\"a\"]\nmeans = \"A *b*.\"\n"), "only backticks are known"),
            (term("forms = [\"a \"]\nmeans = \"A.\"\n"), "a form that is empty"),
            (term(&format!("{well}see = \"x\"\n")), "unknown field `see`"),
            (term(well) + "[[term]]\nterm = \"A-B\"\n" + well, "two terms would have the place `#a-b`"),
            (
                term(well) + "[[term]]\nterm = \"c\"\nforms = [\"A\"]\nmeans = \"A.\"\n",
                "`A` of `c` is a form of `a b` already",
            ),
            ("[[term]]\nterm = \" \"\n".to_owned() + well, "a term has no name"),
        ] {
            let error = format!("{:#}", Glossary::parse(&text).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
