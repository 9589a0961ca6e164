//! `{{#code}}`: the leak's lines around what the fix changes, and below them, folded, all of them.

use evidence::side;
use similar::ChangeTag;

use super::{
    diff::regions,
    html,
    lines::{self, Change, Piece},
    source::{self, Source},
};

/// Lines before and behind each change: most waits and their owners are so near.
const AROUND: usize = 6;
/// A function's head is shown too when it is so near.
const REACH: usize = 8;

pub(super) fn code(source: &Source, scenario: &str, anchor: &str) -> anyhow::Result<String> {
    let [leak, fix] = regions(source, scenario, anchor, ["leak", "fix"])?;
    let leak = without_mark(&leak);
    let changes = lines::changes(&leak, &fix);
    let pieces = of_leak(lines::near(&changes, AROUND, REACH));
    let is_whole = !pieces.iter().any(|piece| matches!(piece, Piece::Gap(_)));
    let piece = |piece: &Piece<&Change>| match piece {
        Piece::Gap(lines) => lines::gap(*lines),
        Piece::Line(change) => lines::line("span", &change.text),
    };
    let excerpt: String = pieces.iter().map(piece).collect();
    let all: String = leak.lines().map(|text| lines::line("span", text)).collect();
    let fold = format!(
        "<details class=\"wb-more\"><summary>{}, {}</summary>{}</details>",
        lines::whole(anchor),
        lines::count(leak.lines().count()),
        lines::block("All lines of leak", &all)
    );
    Ok(format!(
        "<figure class=\"wb-listing\"><figcaption><code>{}</code></figcaption>{}{}</figure>",
        html::text(&source::side_file(source.scenario(scenario)?, "leak")),
        lines::block("Lines of leak", &excerpt),
        if is_whole { "" } else { &fold }
    ))
}

/// The line that names the mistake is for a reader who has predicted; the diff has it.
fn without_mark(leak: &str) -> String {
    leak.lines().filter(|line| side::marker(line).is_none()).map(|line| format!("{line}\n")).collect()
}

/// The excerpt without what the fix adds, which is not for a reader who has not predicted yet, and without the empty lines that then
/// stand beside a gap.
fn of_leak(pieces: Vec<Piece<&Change>>) -> Vec<Piece<&Change>> {
    let is_empty = |change: &Change| change.tag == ChangeTag::Equal && change.text.trim().is_empty();
    let mut kept: Vec<Piece<&Change>> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Line(change) if change.tag == ChangeTag::Insert => {}
            Piece::Line(change) => match kept.last_mut() {
                Some(Piece::Gap(lines)) if is_empty(change) => *lines += 1,
                _ => kept.push(piece),
            },
            Piece::Gap(mut lines) => {
                while kept.pop_if(|last| matches!(last, Piece::Line(one) if is_empty(one))).is_some() {
                    lines += 1;
                }
                match kept.last_mut() {
                    Some(Piece::Gap(before)) => *before += lines,
                    _ => kept.push(Piece::Gap(lines)),
                }
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(anchor: &str) -> anyhow::Result<String> {
        code(&Source::fixture(), "unconsumed-send", anchor)
    }

    #[test]
    fn the_leak_is_shown_without_the_line_that_names_it_and_without_what_the_fix_adds() {
        let html = shown("service").unwrap();
        assert!(!html.contains('\n'), "an empty line would end mdBook's HTML block");
        assert!(!html.contains("LEAK:") && !html.contains("FIX:") && !html.contains("<ins"), "{html}");
    }

    #[test]
    fn what_is_far_is_one_muted_line_and_stands_whole_in_the_fold() {
        let html = shown("service").unwrap();
        let (excerpt, fold) = html.split_once("<details class=\"wb-more\">").unwrap();
        assert!(excerpt.contains("<span class=\"wb-line wb-gap\">… 5 lines&#10;</span>"), "{excerpt}");
        assert!(excerpt.matches("wb-line").count() < fold.matches("wb-line").count(), "{html}");
        let lines = fold.matches("wb-line").count();
        assert!(fold.starts_with(&format!("<summary>The whole service, {lines} lines</summary>")), "{fold}");
    }

    #[test]
    fn what_only_the_fix_has_leaves_no_trace() {
        let lines: String = (0..20).map(|at| if at == 9 { "\n".to_owned() } else { format!("{at}\n") }).collect();
        let changes = lines::changes(&lines, &lines.replace("\n\n", "\n\nnew\n"));
        let shown = |around| -> Vec<String> {
            let said = |piece: Piece<&Change>| match piece {
                Piece::Line(change) => change.text.trim().to_owned(),
                Piece::Gap(lines) => format!("…{lines}"),
            };
            of_leak(lines::near(&changes, around, 0)).into_iter().map(said).collect()
        };
        assert_eq!(shown(2), ["…8", "8", "", "10", "11", "…8"]);
        assert_eq!(shown(0), ["…20"]);
    }

    #[test]
    fn a_part_begins_with_the_head_of_its_function() {
        let body: String = (0..12).map(|at| format!("    {at}\n")).collect();
        let leak = format!("a\n\nasync fn f(\n{body}");
        let changes = lines::changes(&leak, &leak.replace("    9\n", "    nine\n"));
        let heads = |reach| {
            lines::near(&changes, 2, reach)
                .iter()
                .any(|piece| matches!(piece, Piece::Line(change) if change.text.starts_with("async fn f")))
        };
        assert!(heads(9) && !heads(3));
    }

    #[test]
    fn an_anchor_that_does_not_exist_is_an_error() {
        assert!(format!("{:#}", shown("none").unwrap_err()).ends_with("leak.rs: no `// ANCHOR: none` there"));
    }
}
