//! `{{#diff}}`: the same region of two sides, as one diff, side by side, or one of them alone.
//!
//! The views are radio buttons and CSS, so they need no script; without CSS and in print the diff is what is there.

use anyhow::{Context, ensure};
use similar::{Algorithm, ChangeTag, TextDiff};

use super::{html, include, source, source::Source};
use crate::side;

pub(super) fn diff(
    source: &Source,
    id: &str,
    scenario: &str,
    anchor: &str,
    sides: [&str; 2],
) -> anyhow::Result<String> {
    let [old, new] = sides;
    let region = |side| {
        let text = source.side(scenario, side)?;
        include::region(&text, anchor).with_context(|| source::side_file(scenario, side))
    };
    let (old_text, new_text) = (region(old)?, region(new)?);
    ensure!(old_text != new_text, "`{anchor}` is the same in {old} and {new}");
    let lines = Lines::between(&old_text, &new_text);
    let views =
        [("diff", "Diff".to_owned()), ("split", "Side by side".to_owned()), ("old", only(old)), ("new", only(new))];
    let radios: String = views.iter().map(|(value, label)| radio(id, value, label)).collect();
    Ok(format!(
        "<figure class=\"wb-diff\"><fieldset class=\"wb-views\"><legend>{scenario}: {old} and {new}</legend>{radios}</fieldset>\
         <div class=\"wb-uni\">{}</div><div class=\"wb-split\">{}{}</div><figcaption>{}</figcaption></figure>",
        code(&format!("From {old} to {new}"), &lines.unified),
        half(old, &lines.old),
        half(new, &lines.new),
        caption(scenario, sides, &lines)
    ))
}

fn caption(scenario: &str, [old, new]: [&str; 2], lines: &Lines) -> String {
    format!(
        "<code>{}</code> → <code>{}</code>: {} removed, {} added.",
        source::side_file(scenario, old),
        source::side_file(scenario, new),
        plural(lines.removed),
        plural(lines.added)
    )
}

fn plural(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

fn only(side: &str) -> String {
    side[..1].to_uppercase() + &side[1..] + " only"
}

fn radio(id: &str, value: &str, label: &str) -> String {
    let checked = if value == "diff" { " checked" } else { "" };
    format!("<label><input type=\"radio\" name=\"view-{id}\" value=\"{value}\"{checked}>{label}</label>")
}

fn half(side: &str, body: &str) -> String {
    format!("<div><p class=\"wb-half\" aria-hidden=\"true\">{side}</p>{}</div>", code(side, body))
}

fn code(label: &str, body: &str) -> String {
    format!(
        "<pre class=\"wb-code\" tabindex=\"0\" role=\"group\" aria-label=\"{label}\">\
         <code class=\"language-rust noplayground\">{body}</code></pre>"
    )
}

/// The lines of each view, as HTML.
#[derive(Default)]
struct Lines {
    unified: String,
    old: String,
    new: String,
    removed: usize,
    added: usize,
    /// Lines in `old` and in `new` so far, paddings included.
    heights: (usize, usize),
}

impl Lines {
    fn between(old: &str, new: &str) -> Self {
        let mut lines = Self::default();
        // Patience keeps unique lines together, which reads better in code.
        for change in TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(old, new).iter_all_changes() {
            lines.add(change.tag(), change.value());
        }
        lines.level();
        lines
    }

    fn add(&mut self, tag: ChangeTag, text: &str) {
        match tag {
            ChangeTag::Equal => {
                self.level();
                let same = line("span", text);
                [&mut self.unified, &mut self.old, &mut self.new].into_iter().for_each(|view| *view += &same);
            }
            ChangeTag::Delete => {
                let gone = line("del", text);
                [&mut self.unified, &mut self.old].into_iter().for_each(|view| *view += &gone);
                (self.removed, self.heights.0) = (self.removed + 1, self.heights.0 + 1);
            }
            ChangeTag::Insert => {
                let come = line("ins", text);
                [&mut self.unified, &mut self.new].into_iter().for_each(|view| *view += &come);
                (self.added, self.heights.1) = (self.added + 1, self.heights.1 + 1);
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

/// One line of code. The line end stays inside, or a `//` comment would swallow the next line when it is coloured.
fn line(tag: &str, text: &str) -> String {
    let marked = if side::marker(text).is_some() { " wb-marked" } else { "" };
    format!("<{tag} class=\"wb-line{marked}\">{}&#10;</{tag}>", html::text(text.trim_end_matches('\n')))
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
        let lines = Lines::between("a\nb\nc\nd\n", "a\nx\nd\ne\n");
        assert_eq!((lines.removed, lines.added), (2, 2));
        assert_eq!(lines.old.matches("wb-line").count(), lines.new.matches("wb-line").count());
        assert_eq!(lines.unified.matches("wb-line").count(), 6);
    }

    #[test]
    fn a_diff_is_one_line_of_html_with_four_views() {
        let html = views("service", ["leak", "fix"]).unwrap();
        assert!(!html.contains('\n'), "an empty line would end mdBook's HTML block");
        assert_eq!(html.matches("type=\"radio\" name=\"view-id\"").count(), 4);
        assert!(html.contains("Leak only") && html.contains("Fix only"));
        assert!(html.contains("&lt;"), "generics are escaped");
    }
}
