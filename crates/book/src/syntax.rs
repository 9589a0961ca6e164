//! What a directive looks like: `{{#name argument …}}`, on one line. In code it is text.

use std::ops::Range;

use mdbook_markdown::{
    MarkdownOptions, new_cmark_parser,
    pulldown_cmark::{Event, Tag},
};

const OPEN: &str = "{{#";
const CLOSE: &str = "}}";

/// What is wrong in a chapter.
pub(super) struct Problem {
    /// As it stands in the chapter.
    pub(super) text: String,
    /// Where, as far as that is known; else it is looked for.
    pub(super) at: Option<usize>,
    /// In one line.
    pub(super) why: String,
}

impl Problem {
    /// With the line where it stands, as far as the chapter's text shows it.
    pub(super) fn said(&self, name: &str, file: &str, chapter: &str) -> String {
        let Self { text, at, why } = self;
        match at.or_else(|| chapter.find(text.as_str())) {
            Some(at) => {
                let line = chapter[..at].matches('\n').count() + 1;
                format!("chapter `{name}` ({file}:{line}): {text}: {why}")
            }
            None => format!("chapter `{name}` ({file}): {text}: {why}"),
        }
    }
}

/// Where every `{{#…}}` is, each on one line.
pub(super) fn all(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find(OPEN).map(|at| from + at) {
        let line = text[start..].lines().next().unwrap_or("");
        from = start + line.find(CLOSE).map_or(OPEN.len(), |at| at + CLOSE.len());
        if from > start + OPEN.len() {
            found.push(start..from);
        }
    }
    found
}

/// What looks like a directive and is none, for a brace or the `#` is missing. mdBook would print it.
pub(super) fn broken(text: &str) -> Vec<Problem> {
    let (whole, code) = (all(text), code(text));
    let is_in = |ranges: &[Range<usize>], at: usize| ranges.iter().any(|range| range.contains(&at));
    let strays = text.match_indices("{{").map(|(at, _)| at);
    let strays = strays.filter(|at| !is_in(&whole, *at) && !is_in(&code, *at) && !text[..*at].ends_with(['\\', '{']));
    let problem = |at: usize| {
        let line = text[at..].lines().next().unwrap_or("");
        let end = line.find(CLOSE).map_or(line.len(), |end| end + CLOSE.len());
        let why = if line.starts_with(OPEN) {
            "no `}}` closes it on its line"
        } else {
            "a directive begins with `{{#`; to show two braces, write them as code"
        };
        Problem { text: line[..end].to_owned(), at: Some(at), why: why.to_owned() }
    };
    strays.map(problem).collect()
}

/// The words of one directive: its name and arguments.
pub(super) fn words(directive: &str) -> Vec<&str> {
    directive.trim_start_matches(OPEN).trim_end_matches(CLOSE).split_whitespace().collect()
}

/// Where Markdown sees code.
pub(super) fn code(text: &str) -> Vec<Range<usize>> {
    ranges(text, |event| matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(_))))
}

/// Where Markdown sees what `is_it` chooses.
pub(super) fn ranges(text: &str, is_it: impl Fn(&Event<'_>) -> bool) -> Vec<Range<usize>> {
    let events = new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter();
    events.filter(|(event, _)| is_it(event)).map(|(_, range)| range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        broken(text).into_iter().map(|problem| problem.said("A", "a.md", text)).collect()
    }

    #[test]
    fn a_directive_that_is_not_closed_or_has_no_hash_is_named_with_its_line() {
        assert_eq!(found("one\n{{#chart a\ntwo"), ["chapter `A` (a.md:2): {{#chart a: no `}}` closes it on its line"]);
        assert!(found("See {{chart a}} there")[0].contains("(a.md:1): {{chart a}}: a directive begins with"));
        assert_eq!(found("{{ #chart }}").len(), 1);
    }

    #[test]
    fn whole_and_escaped_directives_and_code_are_well() {
        for text in ["{{#chart a}}", "`{{chart a}}`", "```text\n{{chart\n```", "\\{{chart a}}", "{#} }}"] {
            assert_eq!(found(text), [] as [&str; 0], "{text}");
        }
    }
}
