//! `owner/repository #123` in prose becomes a link to that issue, so that an incident can be read with a click.

use std::ops::Range;

use mdbook_markdown::pulldown_cmark::{Event, Tag};

use super::syntax;

/// A chapter with its links. Not in code, in links and in HTML.
pub(super) fn link(text: &str) -> String {
    let taken = syntax::ranges(text, |event| {
        matches!(
            event,
            Event::Code(_)
                | Event::Html(_)
                | Event::InlineHtml(_)
                | Event::Start(Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
        )
    });
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for found in all(text).into_iter().filter(|found| !taken.iter().any(|taken| taken.contains(&found.start))) {
        let name = &text[found.clone()];
        let Some((repository, number)) = name.split_once(" #") else { continue };
        out += &text[end..found.start];
        // An issue's address leads to a pull request too.
        out += &format!("[{name}](https://github.com/{repository}/issues/{number})");
        end = found.end;
    }
    out + &text[end..]
}

/// Where every `owner/repository #123` is.
fn all(text: &str) -> Vec<Range<usize>> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let hashes = text.match_indices(" #").map(|(at, _)| at);
    let found = hashes.filter_map(|at| {
        let digits = text[at + 2..].find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - at - 2);
        let before = &text[..at];
        let start = before
            .rfind(|c: char| !in_name(c) && c != '/')
            .map_or(0, |last| last + before[last..].chars().next().map_or(1, char::len_utf8));
        let (owner, repository) = before[start..].split_once('/')?;
        let named = !owner.is_empty() && !repository.is_empty() && !repository.contains('/');
        (named && digits > 0).then_some(start..at + 2 + digits)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_becomes_a_link() {
        let to = |name: &str, repository: &str, number: u32| {
            format!("[{name}](https://github.com/{repository}/issues/{number})")
        };
        assert_eq!(
            link("- **apache/iggy #3947** (2026), as in (a-b/c.d #1)."),
            format!(
                "- **{}** (2026), as in ({}).",
                to("apache/iggy #3947", "apache/iggy", 3947),
                to("a-b/c.d #1", "a-b/c.d", 1)
            )
        );
        assert_eq!(link("ä/x y/z #2"), format!("ä/x {}", to("y/z #2", "y/z", 2)));
    }

    #[test]
    fn code_links_html_and_what_names_no_repository_stay() {
        for text in [
            "`a/b #1`",
            "```text\na/b #1\n```",
            "[a/b #1](x.md)",
            "<p>a/b #1</p>",
            "tokio #1",
            "a/b/c #1",
            "/b #1",
            "a/ #1",
            "a/b #x",
            "# #1\n",
        ] {
            assert_eq!(link(text), text);
        }
    }
}
