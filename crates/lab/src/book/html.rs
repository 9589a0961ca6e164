//! HTML, written so that Markdown leaves it alone: every block is one line, for an empty line would end it.

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
    fn only_closed_backticks_are_code() {
        assert_eq!(prose("a ` b"), "a ` b");
        assert_eq!(inline_prose("a `*b*` *c*"), "a <code>&#42;b&#42;</code> &#42;c&#42;");
        assert_eq!(inline_prose("a ` b"), "a &#96; b");
        assert_eq!(prose("sends to `rx<T>` late"), "sends to <code>rx&lt;T&gt;</code> late");
    }
}
