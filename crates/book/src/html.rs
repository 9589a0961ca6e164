//! HTML, written so that Markdown leaves it alone: every block is one line, for an empty line would end it.

use evidence::catalogue::Scenario;

/// Escapes text for element content and for attributes in double quotes. Line ends become references.
pub(super) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' => out += "&#10;",
            c => out.push(c),
        }
    }
    out
}

/// Text for the middle of Markdown: whatever means something there, or in HTML, is a reference.
pub(super) fn inline(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        if c.is_ascii_punctuation() && !".,:;-/()+%'?".contains(c) || c.is_control() {
            out += &format!("&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text for the middle of Markdown, with `…` as code.
pub(super) fn inline_prose(raw: &str) -> String {
    let parts: Vec<_> = raw.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return inline(raw);
    }
    let code = |(i, part): (usize, &&str)| {
        let part = inline(part);
        if i % 2 == 1 { format!("<code>{part}</code>") } else { part }
    };
    parts.iter().enumerate().map(code).collect()
}

/// Escaped text, with `…` as code.
pub(super) fn prose(raw: &str) -> String {
    let parts: Vec<_> = raw.split('`').collect();
    // An odd number of backticks is no code.
    if parts.len().is_multiple_of(2) {
        return text(raw);
    }
    let code = |(i, part): (usize, &&str)| if i % 2 == 1 { format!("<code>{}</code>", text(part)) } else { text(part) };
    parts.iter().enumerate().map(code).collect()
}

/// The pages that `[words](page.md#anchor)` in `raw` lead to.
pub(super) fn links(raw: &str) -> Vec<&str> {
    raw.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to).collect()
}

/// Escaped text, with `…` as code and `[words](page.md#anchor)` as a link.
pub(super) fn linked_prose(raw: &str) -> String {
    let (mut out, mut rest) = (String::new(), raw);
    while let Some((before, after)) = rest.split_once("](")
        && let Some((before, words)) = before.rsplit_once('[')
        && let Some((to, after)) = after.split_once(')')
    {
        out += &format!("{}<a href=\"{}\">{}</a>", prose(before), text(&address(to)), prose(words));
        rest = after;
    }
    out + &prose(rest)
}

/// Where a page is when the book is built: `page.md#anchor` → `page.html#anchor`.
pub(super) fn address(page: &str) -> String {
    page.replacen(".md", ".html", 1)
}

/// What stands in the place of what nobody recorded yet.
pub(super) fn not_recorded(name: &str) -> String {
    format!("<p class=\"wb-none\">Not recorded yet: run <code>cargo lab record {}</code>.</p>\n", text(name))
}

/// A fold. Its content is HTML, or Markdown between empty lines.
pub(super) fn fold(class: &str, summary: &str, content: &str) -> String {
    format!("<details class=\"{class}\"><summary>{summary}</summary>{content}</details>")
}

/// A link to a scenario's chapter.
pub(super) fn chapter(one: &Scenario) -> String {
    format!("<a href=\"{}.html\">{}</a>", text(&one.name), text(one.title()))
}

/// A table that scrolls inside itself on a narrow screen. Cells are HTML; the first of each row is its header. Each cell
/// knows its column's title, so that a phone can set the cells of a row one below the other.
pub(super) fn table(class: &str, caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: String = rows.iter().map(|cells| row(head, cells)).collect();
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    format!(
        "<div class=\"table-wrapper wb-table {class}\"><table><caption>{caption}</caption>\
         <thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

fn row(head: &[&str], cells: &[String]) -> String {
    let [first, rest @ ..] = cells else { return String::new() };
    let rest: String =
        head[1..].iter().zip(rest).map(|(title, cell)| format!("<td data-label=\"{title}\">{cell}</td>")).collect();
    format!("<tr><th scope=\"row\">{first}</th>{rest}</tr>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup_nor_end_a_block() {
        assert_eq!(text("a<b>&\"\n\n"), "a&lt;b&gt;&amp;&quot;&#10;&#10;");
    }

    #[test]
    fn a_link_in_prose_leads_to_the_built_page() {
        let raw = "See [the `<x>`](a-b.md#c), [d](e.md), not [this] (one.md) nor a[0].";
        assert_eq!(links(raw), ["a-b.md#c", "e.md"]);
        let shown = "See <a href=\"a-b.html#c\">the <code>&lt;x&gt;</code></a>, <a href=\"e.html\">d</a>, not [this] (one.md) nor a[0].";
        assert_eq!(linked_prose(raw), shown);
    }

    #[test]
    fn only_closed_backticks_are_code() {
        assert_eq!(prose("a ` b"), "a ` b");
        assert_eq!(inline_prose("a `*b*` *c*"), "a <code>&#42;b&#42;</code> &#42;c&#42;");
        assert_eq!(inline_prose("a ` b"), "a &#96; b");
        assert_eq!(prose("sends to `rx<T>` late"), "sends to <code>rx&lt;T&gt;</code> late");
    }
}
