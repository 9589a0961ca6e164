//! `{{#diff}}`: the same region of two sides. First the few lines that changed; below them, folded, the whole region as one diff, side by
//! side, or one of the two alone.
//!
//! The views are radio buttons and CSS, so they need no script; without CSS all of them are there. Paper has the changed lines.

use anyhow::{Context, ensure};
use similar::ChangeTag;

use super::{
    include,
    lines::{self, Change, Piece},
    source,
    source::Source,
};

/// Lines before and behind each change.
const AROUND: usize = 3;
/// A function's head is shown too when it is so near: two lines above a parameter, say.
const REACH: usize = 3;

pub(super) fn diff(
    source: &Source,
    id: &str,
    scenario: &str,
    anchor: &str,
    sides: [&str; 2],
) -> anyhow::Result<String> {
    let [old, new] = sides;
    let [old_text, new_text] = regions(source, scenario, anchor, sides)?;
    let changes = lines::changes(&old_text, &new_text);
    let views = Views::of(&changes);
    let choices =
        [("diff", "Diff".to_owned()), ("split", "Side by side".to_owned()), ("old", only(old)), ("new", only(new))];
    let radios: String = choices.iter().map(|(value, label)| radio(id, value, label)).collect();
    let whole = lines::whole(anchor);
    Ok(format!(
        "<figure class=\"wb-diff\"><figcaption>{}</figcaption><div class=\"wb-hunks\">{}</div>\
         <details class=\"wb-more\"><summary>{whole}: diff, side by side, each alone</summary>\
         <fieldset class=\"wb-views\"><legend>{scenario}: {old} and {new}</legend>{radios}</fieldset>\
         <div class=\"wb-uni\">{}</div><div class=\"wb-split\">{}{}</div></details></figure>",
        caption(&sides.map(|side| file(source, scenario, side)), &changes),
        lines::block(&format!("What changes from {old} to {new}"), &hunks(&changes)),
        lines::block(&format!("All lines from {old} to {new}"), &views.unified),
        half(old, &views.old),
        half(new, &views.new)
    ))
}

/// The same region of two sides, which must differ in it.
pub(super) fn regions(source: &Source, scenario: &str, anchor: &str, sides: [&str; 2]) -> anyhow::Result<[String; 2]> {
    let region = |side| {
        let text = source.side(scenario, side)?;
        include::region(&text, anchor).with_context(|| file(source, scenario, side))
    };
    let [old, new] = sides;
    let regions = [region(old)?, region(new)?];
    ensure!(regions[0] != regions[1], "`{anchor}` is the same in {old} and {new}");
    Ok(regions)
}

/// The changed lines, and a few around each.
pub(super) fn hunks(changes: &[Change]) -> String {
    let piece = |piece: Piece<&Change>| match piece {
        Piece::Line(change) => lines::line(lines::element(change.tag), &change.text),
        Piece::Gap(lines) => lines::gap(lines),
    };
    lines::near(changes, AROUND, REACH).into_iter().map(piece).collect()
}

/// `2 lines removed, 1 line added`.
pub(super) fn counted(changes: &[Change]) -> String {
    let lines = |tag| lines::count(changes.iter().filter(|one| one.tag == tag).count());
    format!("{} removed, {} added", lines(ChangeTag::Delete), lines(ChangeTag::Insert))
}

fn caption([old, new]: &[String; 2], changes: &[Change]) -> String {
    format!("<code>{old}</code> → <code>{new}</code>: {}.", counted(changes))
}

fn file(source: &Source, scenario: &str, side: &str) -> String {
    source.scenario(scenario).map_or_else(|_| side.to_owned(), |one| source::side_file(one, side))
}

fn only(side: &str) -> String {
    side[..1].to_uppercase() + &side[1..] + " only"
}

fn radio(id: &str, value: &str, label: &str) -> String {
    let checked = if value == "diff" { " checked" } else { "" };
    format!("<label><input type=\"radio\" name=\"view-{id}\" value=\"{value}\"{checked}>{label}</label>")
}

fn half(side: &str, body: &str) -> String {
    format!("<div><p class=\"wb-half\" aria-hidden=\"true\">{side}</p>{}</div>", lines::block(side, body))
}

/// All lines of each view, as HTML.
#[derive(Default)]
struct Views {
    unified: String,
    old: String,
    new: String,
    /// Lines in `old` and in `new` so far, paddings included.
    heights: (usize, usize),
}

impl Views {
    fn of(changes: &[Change]) -> Self {
        let mut views = Self::default();
        changes.iter().for_each(|change| views.add(change));
        views.level();
        views
    }

    fn add(&mut self, Change { tag, text }: &Change) {
        let line = lines::line(lines::element(*tag), text);
        self.unified += &line;
        match tag {
            ChangeTag::Equal => {
                self.level();
                [&mut self.old, &mut self.new].into_iter().for_each(|view| *view += &line);
            }
            ChangeTag::Delete => {
                self.old += &line;
                self.heights.0 += 1;
            }
            ChangeTag::Insert => {
                self.new += &line;
                self.heights.1 += 1;
            }
        }
    }

    /// Pads the shorter half, so that the lines both have in common stand at the same height.
    fn level(&mut self) {
        const PAD: &str = "<span class=\"wb-line wb-pad\">&#10;</span>";
        let (old, new) = self.heights;
        self.old += &PAD.repeat(new.saturating_sub(old));
        self.new += &PAD.repeat(old.saturating_sub(new));
        self.heights = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(anchor: &str, sides: [&str; 2]) -> anyhow::Result<String> {
        diff(&Source::fixture(), "id", "unconsumed-send", anchor, sides)
    }

    #[test]
    fn an_unknown_anchor_or_side_and_no_difference_are_errors() {
        let error = |anchor, sides| format!("{:#}", views(anchor, sides).unwrap_err());
        assert_eq!(
            error("nothing", ["leak", "fix"]),
            "scenarios/unconsumed-send/leak.rs: no `// ANCHOR: nothing` there"
        );
        assert!(error("service", ["leak", "worse"]).starts_with("cannot read scenarios/unconsumed-send/worse.rs"));
        assert_eq!(error("service", ["leak", "leak"]), "`service` is the same in leak and leak");
    }

    #[test]
    fn the_halves_of_a_diff_have_the_same_height() {
        let changes = lines::changes("a\nb\nc\nd\n", "a\nx\nd\ne\n");
        let views = Views::of(&changes);
        assert!(caption(&["a", "b"].map(str::to_owned), &changes).ends_with(": 2 lines removed, 2 lines added."));
        assert_eq!(views.old.matches("wb-line").count(), views.new.matches("wb-line").count());
        assert_eq!(views.unified.matches("wb-line").count(), 6);
    }

    #[test]
    fn a_diff_is_one_line_of_html_with_four_views() {
        let html = views("service", ["leak", "fix"]).unwrap();
        assert!(!html.contains('\n'), "an empty line would end mdBook's HTML block");
        assert_eq!(html.matches("type=\"radio\" name=\"view-id\"").count(), 4);
        assert!(html.contains("Leak only") && html.contains("Fix only"));
        assert!(html.contains("&lt;"), "generics are escaped");
    }

    #[test]
    fn the_changed_lines_come_first_and_the_whole_region_is_folded() {
        let html = views("service", ["leak", "fix"]).unwrap();
        let (first, fold) = html.split_once("<details class=\"wb-more\"><summary>The whole service: ").unwrap();
        assert!(first.contains("<del") && first.contains("<ins") && first.contains("wb-gap"), "{first}");
        assert!(!fold.contains("wb-gap") && fold.contains("wb-uni") && fold.contains("wb-split"), "{fold}");
    }
}
