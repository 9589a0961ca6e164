//! Where a chapter's running prose is: paragraphs, list items and cells of tables, without headings, code blocks, links and HTML.

use std::ops::Range;

use mdbook_markdown::{
    MarkdownOptions, new_cmark_parser,
    pulldown_cmark::{Event, Tag, TagEnd},
};

/// How the answer to a question begins, and all that tells the answer to an exercise.
const ANSWERS: [&str; 2] = ["<details class=\"wb-answer\">", "<details class=\"wb-solutions\">"];

/// The places in a chapter's Markdown where a word of it may become a link.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Stretches of words. Those of one paragraph that only a line's end parts are one.
    pub words: Vec<Range<usize>>,
    /// Code spans, their backticks included.
    pub code: Vec<Range<usize>>,
}

/// The running prose of a chapter.
pub fn of(text: &str) -> Running {
    let mut found = Running::default();
    // A link may also be written as HTML; Markdown sees only its tags.
    // An answer is folded: there a first use would not be seen.
    let (mut closed, mut in_link, mut folds) = (0_usize, false, 0_usize);
    for (event, range) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        match event {
            Event::Start(tag) => closed += usize::from(opens_closed(&tag)),
            Event::End(tag) => closed -= usize::from(ends_closed(tag)),
            Event::InlineHtml(tag) if tag.starts_with("<a ") => in_link = true,
            Event::InlineHtml(tag) if tag.starts_with("</a") => in_link = false,
            Event::Html(tags) if folds > 0 || ANSWERS.iter().any(|answer| tags.contains(answer)) => {
                let count = |tag| tags.matches(tag).count();
                folds = (folds + count("<details")).saturating_sub(count("</details>"));
            }
            _ if closed > 0 || in_link || folds > 0 => {}
            Event::Text(_) | Event::SoftBreak => found.add_words(text, range),
            Event::Code(_) => found.code.push(range),
            _ => {}
        }
    }
    found
}

impl Running {
    fn add_words(&mut self, text: &str, range: Range<usize>) {
        match self.words.last_mut() {
            // An indented line of a paragraph.
            Some(last) if text[last.end..range.start].chars().all(|c| c == ' ') => last.end = range.end,
            _ => self.words.push(range),
        }
    }
}

/// Whether nothing inside becomes a link.
fn opens_closed(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::Heading { .. }
            | Tag::CodeBlock(_)
            | Tag::Link { .. }
            | Tag::Image { .. }
            | Tag::HtmlBlock
            | Tag::MetadataBlock(_)
    )
}

fn ends_closed(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::Heading(_)
            | TagEnd::CodeBlock
            | TagEnd::Link
            | TagEnd::Image
            | TagEnd::HtmlBlock
            | TagEnd::MetadataBlock(_)
    )
}

/// Puts something in the place of each range.
pub(super) fn replaced(text: &str, mut all: Vec<(Range<usize>, String)>) -> String {
    all.sort_by_key(|(range, _)| range.start);
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for (range, with) in all {
        out += &text[end..range.start];
        out += &with;
        end = range.end;
    }
    out + &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Vec<&str>, Vec<&str>) {
        let Running { words, code } = of(text);
        let cut = |ranges: Vec<Range<usize>>| ranges.into_iter().map(|range| &text[range]).collect();
        (cut(words), cut(code))
    }

    #[test]
    fn prose_lists_and_tables_are_running_and_the_rest_is_not() {
        let (words, code) = found(
            "# A `h`\n\none `c`\ntwo\n\n- three\n  four\n\n| `d` | five |\n|--|--|\n| **six** | [seven `e`](x.md) |\n\n\
             ```text\neight\n```\n\n<p>nine</p>\n\nten <a href=\"x\">eleven `f`</a> twelve ![thirteen](x.svg)\n",
        );
        assert_eq!(words, ["one ", "\ntwo", "three\n  four", "five", "six", "ten ", " twelve "]);
        assert_eq!(code, ["`c`", "`d`"]);
    }

    #[test]
    fn the_answer_to_a_question_is_not_running() {
        let answer =
            "one\n\n<details class=\"wb-answer\"><summary>Answer</summary>\n\ntwo `x`\n\n</details>\n\nthree\n";
        assert_eq!(found(answer), (vec!["one", "three"], vec![]));
        let solutions = format!("<details class=\"wb-solutions\">\n\nzero\n\n{answer}\n</details>\n\nfour\n");
        assert_eq!(found(&solutions).0, ["four"]);
        assert_eq!(found("<details><summary>More</summary>\n\ntwo\n\n</details>\n").0, ["two"]);
    }

    #[test]
    fn an_apostrophe_and_a_quotation_mark_part_nothing() {
        assert_eq!(found("the worker's \"own\" list").0, ["the worker's \"own\" list"]);
    }

    #[test]
    fn what_is_replaced_is_replaced_in_order() {
        assert_eq!(replaced("a b c", vec![(4..5, "z".into()), (0..1, "x".into())]), "x b z");
    }
}
