//! Lines of code as HTML: which changed between two texts, and those near a change.

use similar::{Algorithm, ChangeTag, TextDiff};

use super::html;
use crate::side;

/// One line of a diff.
pub(super) struct Change {
    pub(super) tag: ChangeTag,
    pub(super) text: String,
}

/// A part of an excerpt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<T> {
    Line(T),
    /// So many lines are left out.
    Gap(usize),
}

/// The lines of two texts, those in common once.
pub(super) fn changes(old: &str, new: &str) -> Vec<Change> {
    // Patience keeps unique lines together, which reads better in code.
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(old, new);
    diff.iter_all_changes().map(|change| Change { tag: change.tag(), text: change.value().to_owned() }).collect()
}

/// The changed lines and so many around each. A gap says its number in one line, so it leaves out two at least.
pub(super) fn near(changes: &[Change], around: usize) -> Vec<Piece<&Change>> {
    let changed: Vec<_> = (0..changes.len()).filter(|at| changes[*at].tag != ChangeTag::Equal).collect();
    let is_near = |at: usize| changed.iter().any(|one| one.abs_diff(at) <= around);
    let mut pieces = Vec::new();
    let mut far: Vec<&Change> = Vec::new();
    let close = |far: &mut Vec<_>, pieces: &mut Vec<_>| match far.len() {
        0 => {}
        1 => pieces.extend(far.drain(..).map(Piece::Line)),
        lines => {
            pieces.push(Piece::Gap(lines));
            far.clear();
        }
    };
    for (at, change) in changes.iter().enumerate() {
        if is_near(at) {
            close(&mut far, &mut pieces);
            pieces.push(Piece::Line(change));
        } else {
            far.push(change);
        }
    }
    close(&mut far, &mut pieces);
    pieces
}

/// One line of code. The line end stays inside, or a `//` comment would swallow the next line when it is coloured.
pub(super) fn line(tag: &str, text: &str) -> String {
    let marked = if side::marker(text).is_some() { " wb-marked" } else { "" };
    format!("<{tag} class=\"wb-line{marked}\">{}&#10;</{tag}>", html::text(text.trim_end_matches('\n')))
}

/// A line in the place of those that are left out.
pub(super) fn gap(lines: usize) -> String {
    format!("<span class=\"wb-line wb-gap\">… {}&#10;</span>", count(lines))
}

/// The element of a tag: what is gone, what came, what stays.
pub(super) fn element(tag: ChangeTag) -> &'static str {
    match tag {
        ChangeTag::Equal => "span",
        ChangeTag::Delete => "del",
        ChangeTag::Insert => "ins",
    }
}

/// A block of such lines.
pub(super) fn block(label: &str, body: &str) -> String {
    format!(
        "<pre class=\"wb-code\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">\
         <code class=\"language-rust noplayground\">{body}</code></pre>",
        html::text(label)
    )
}

/// `1 line`, `2 lines`.
pub(super) fn count(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

/// What an anchor holds, in words: nearly always it is the service.
pub(super) fn whole(anchor: &str) -> String {
    if anchor == "service" {
        "The whole service".to_owned()
    } else {
        format!("The whole of <code>{}</code>", html::text(anchor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty lines of which some are others in the second text.
    fn excerpt(changed: &[usize], around: usize) -> Vec<String> {
        let text = |other: bool| -> String {
            (0..20)
                .map(|at| if other && changed.contains(&at) { "x\n".to_owned() } else { format!("{at}\n") })
                .collect()
        };
        let changes = changes(&text(false), &text(true));
        let said = |piece: Piece<&Change>| match piece {
            Piece::Line(change) => format!("{}{}", change.tag, change.text.trim()),
            Piece::Gap(lines) => format!("…{lines}"),
        };
        near(&changes, around).into_iter().map(said).collect()
    }

    #[test]
    fn an_excerpt_has_what_changed_the_lines_around_it_and_the_size_of_its_gaps() {
        assert_eq!(excerpt(&[5], 2), ["…3", " 3", " 4", "-5", "+x", " 6", " 7", "…12"]);
        assert_eq!(excerpt(&[0, 19], 1), ["-0", "+x", " 1", "…16", " 18", "-19", "+x"]);
        assert_eq!(excerpt(&[], 2), ["…20"]);
    }

    #[test]
    fn a_single_line_is_shown_instead_of_a_gap() {
        assert_eq!(excerpt(&[3, 5], 0), ["…3", "-3", "+x", " 4", "-5", "+x", "…14"]);
    }
}
