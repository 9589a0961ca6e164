//! Lines of code as HTML: which changed between two texts, and those near a change.

use std::ops::Range;

use evidence::side;
use similar::{Algorithm, ChangeTag, TextDiff};

use super::html;

/// So many lines of an item that only begins are left out.
const BEGUN: usize = 2;

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

/// The changed lines and so many around each, and the head of the function in which such a part begins, where that is no further than
/// `reach` lines. A gap says its number in one line, so it leaves out two at least.
pub(super) fn near(changes: &[Change], around: usize, reach: usize) -> Vec<Piece<&Change>> {
    let mut shown = near_changes(changes, around);
    for run in runs(&shown, true) {
        let before = (run.start.saturating_sub(reach)..run.start).rev();
        let same_item = |at: &usize| !changes[*at].text.trim().is_empty();
        if let Some(head) = before.take_while(same_item).find(|at| is_head(&changes[*at].text)) {
            shown[head..run.start].fill(true);
        }
    }
    pieces(changes, shown)
}

fn is_head(line: &str) -> bool {
    ["fn ", "async fn ", "pub fn ", "pub async fn ", "pub(crate) fn ", "pub(crate) async fn "]
        .iter()
        .any(|head| line.trim_start().starts_with(head))
}

fn near_changes(changes: &[Change], around: usize) -> Vec<bool> {
    let changed: Vec<_> = (0..changes.len()).filter(|at| is_changed(&changes[*at])).collect();
    let is_near = |at| changed.iter().any(|one| one.abs_diff(at) <= around);
    (0..changes.len()).map(is_near).collect()
}

fn pieces(changes: &[Change], mut shown: Vec<bool>) -> Vec<Piece<&Change>> {
    for run in runs(&shown, true) {
        let (start, end) = ends(&changes[run.clone()]);
        // At the ends of the text there is nothing to cut off from.
        let start = if run.start == 0 { 0 } else { start };
        let end = if run.end == changes.len() { run.len() } else { end };
        shown[run.start..run.start + start].fill(false);
        shown[run.start + end..run.end].fill(false);
    }
    for run in runs(&shown, false).into_iter().filter(|run| run.len() == 1) {
        shown[run].fill(true);
    }
    let mut pieces = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        match pieces.last_mut() {
            _ if shown[at] => pieces.push(Piece::Line(change)),
            Some(Piece::Gap(lines)) => *lines += 1,
            _ => pieces.push(Piece::Gap(1)),
        }
    }
    pieces
}

fn is_changed(change: &Change) -> bool {
    change.tag != ChangeTag::Equal
}

/// Where `flags` is `what`, run by run.
fn runs(flags: &[bool], what: bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in (0..flags.len()).filter(|at| flags[*at] == what) {
        match runs.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// The part of an excerpt that is worth its lines: without empty ones at its ends, and without the first words of an item of which
/// nothing else is shown.
fn ends(lines: &[Change]) -> (usize, usize) {
    let is_empty = |line: &Change| line.text.trim().is_empty();
    let last = lines.iter().rposition(is_changed).map_or(0, |at| at + 1);
    let mut end = lines.len();
    if let Some(empty) = lines[last..].iter().rposition(is_empty).map(|at| last + at)
        && end - empty <= BEGUN + 1
        && !lines[end - 1].text.trim_end().ends_with('{')
    {
        end = empty;
    }
    let first = lines.iter().position(is_changed).unwrap_or(end);
    let start = lines[..first].iter().take_while(|line| is_empty(line)).count();
    (start, end - lines[last..end].iter().rev().take_while(|line| is_empty(line)).count())
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
        near(&changes, around, 0).into_iter().map(said).collect()
    }

    #[test]
    fn an_excerpt_has_what_changed_the_lines_around_it_and_the_size_of_its_gaps() {
        assert_eq!(excerpt(&[5], 2), ["…3", " 3", " 4", "-5", "+x", " 6", " 7", "…12"]);
        assert_eq!(excerpt(&[0, 19], 1), ["-0", "+x", " 1", "…16", " 18", "-19", "+x"]);
        assert_eq!(excerpt(&[], 2), ["…20"]);
    }

    #[test]
    fn an_excerpt_begins_and_ends_where_something_is_said() {
        let shown = |old: &str, new: &str| -> String {
            let changes = changes(old, new);
            let said = |piece: Piece<&Change>| match piece {
                Piece::Line(change) => format!("{}{}", change.tag, change.text.trim()),
                Piece::Gap(lines) => format!("…{lines}"),
            };
            near(&changes, 3, 0).into_iter().map(said).collect::<Vec<_>>().join("|")
        };
        let (before, behind) = ("1\n2\n3\n\nfn a() {\n", "}\n\nfn b(\n x\n) {\n");
        let [old, new] = ["x\n", "y\n"].map(|line| format!("{before}b\n{line}{behind}"));
        assert_eq!(shown(&old, &new), "…4| fn a() {| b|-x|+y| }|…4");
        let behind = "}\n\nimpl B {\n x\n}\n";
        let [old, new] = ["x\n", "y\n"].map(|line| format!("{line}{behind}"));
        assert_eq!(shown(&old, &new), "-x|+y| }| | impl B {|…2");
    }

    #[test]
    fn a_single_line_is_shown_instead_of_a_gap() {
        assert_eq!(excerpt(&[3, 5], 0), ["…3", "-3", "+x", " 4", "-5", "+x", "…14"]);
    }
}
