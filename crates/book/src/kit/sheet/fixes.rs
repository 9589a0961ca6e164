//! The accepted fixes as the lines that change, in the names of the kit. Pure.

use similar::ChangeTag;

use super::super::{ingredients::Ingredients, nouns::Nouns, service};
use crate::{
    html,
    lines::{self, Piece},
};

/// Lines of code on a sheet, all fixes together; and of one fix.
const LINES_MAX: usize = 62;
const ONE_MAX: usize = 44;
/// Lines around each change, and the head of a function so near.
const AROUND: usize = 1;
const REACH: usize = 2;

/// The changes from what is given to each accepted side: the side's name and its lines as HTML; none where there is no room.
///
/// # Errors
/// When a side lacks a module.
pub(super) fn hunks(of: &Ingredients, nouns: &Nouns) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let text = |side: &str| -> anyhow::Result<String> { Ok(nouns.apply(&service::shown(of, side)?)) };
    let given = text(of.given())?;
    let (mut room, mut all) = (LINES_MAX, Vec::new());
    for side in of.accepted() {
        let changes = lines::changes(&given, &text(side)?);
        let pieces = lines::near(&changes, AROUND, REACH);
        let shown = pieces.len().min(ONE_MAX);
        let fits = all.is_empty() || pieces.len() <= room.min(ONE_MAX);
        let lines = pieces.len();
        let mut body: String = pieces.into_iter().take(shown).map(line).collect();
        if lines > shown {
            body +=
                &format!("<span class=\"gap\">… {} lines more: {}</span>", lines - shown, html::text(&file(of, side)));
        }
        // With what is given, nothing changes where nothing is to be mended.
        let hunk = fits.then(|| if lines < 2 { "<span>nothing changes</span>".to_owned() } else { body });
        room = room.saturating_sub(if fits { shown } else { 0 });
        all.push((side.to_owned(), hunk));
    }
    Ok(all)
}

/// What a side says of its change, or else its first changed line: for a side whose head says what the service is.
///
/// # Errors
/// When a side lacks a module.
pub(super) fn first_change(of: &Ingredients, nouns: &Nouns, side: &str) -> anyhow::Result<Option<String>> {
    let [given, own] = [of.given(), side].map(|side| service::shown(of, side));
    let changes = lines::changes(&nouns.apply(&given?), &nouns.apply(&own?));
    let of_tag = |tag: ChangeTag| changes.iter().filter(move |one| one.tag == tag).map(|one| one.text.trim());
    let says = |line: &&str| line.chars().filter(|c| c.is_alphabetic()).count() > 3 && !line.starts_with("use ");
    let added: Vec<_> = of_tag(ChangeTag::Insert).filter(says).collect();
    let comment =
        added.iter().find_map(|line| Some(line.trim_start_matches('/').trim()).filter(|_| line.starts_with("//")));
    let code = |line: &str, sign: char| format!("{sign} `{}`", line.replace('`', "'"));
    let of_code = added.first().map(|line| code(line, '+'));
    let gone = || of_tag(ChangeTag::Delete).find(says).map(|line| code(line, '−'));
    Ok(comment.map(str::to_owned).or(of_code).or_else(gone))
}

/// Where a side's file is, from the root.
pub(super) fn file(of: &Ingredients, side: &str) -> String {
    let folder = if of.exercise.is_some() { "exercises" } else { "scenarios" };
    format!("{folder}/{}/{side}.rs", of.scenario.name)
}

fn line(piece: Piece<&lines::Change>) -> String {
    match piece {
        Piece::Gap(lines) => format!("<span class=\"gap\">… {}</span>", lines::count(lines)),
        Piece::Line(change) => {
            let sign = match change.tag {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '−',
                ChangeTag::Insert => '+',
            };
            let element = lines::element(change.tag);
            format!("<{element}>{sign} {}</{element}>", html::text(change.text.trim_end()))
        }
    }
}

/// The line of the candidate's file that stands at `line` of the workbook's: the same words, as often seen before.
pub(super) fn line_in_kit(workbook: &str, line: usize, kit: &str, nouns: &Nouns) -> Option<(usize, String)> {
    let wanted = workbook.lines().nth(line.checked_sub(1)?)?.trim();
    let before = workbook.lines().take(line - 1).filter(|one| one.trim() == wanted).count();
    let said = nouns.apply(wanted);
    let (at, _) = kit.lines().enumerate().filter(|(_, one)| one.trim() == said).nth(before)?;
    Some((at + 1, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again_where_lines_before_it_have_gone() {
        let (workbook, kit) = ("//! a\n\nspawn(x);\n// LEAK: y\nspawn(x);\n", "spawn(x);\nspawn(x);\n");
        let at = |line| line_in_kit(workbook, line, kit, &Nouns::default()).map(|(at, _)| at);
        assert_eq!([3, 5, 4, 0, 99].map(at), [Some(1), Some(2), None, None, None]);
    }
}
