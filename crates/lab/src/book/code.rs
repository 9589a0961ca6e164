//! `{{#code}}`: the leak's lines around what the fix changes, and below them, folded, all of them.

use similar::ChangeTag;

use super::{
    diff::regions,
    html,
    lines::{self, Piece},
    source::{self, Source},
};

/// Lines before and behind each change: most waits and their owners are so near.
const AROUND: usize = 6;

pub(super) fn code(source: &Source, scenario: &str, anchor: &str) -> anyhow::Result<String> {
    let [leak, fix] = regions(source, scenario, anchor, ["leak", "fix"])?;
    let changes = lines::changes(&leak, &fix);
    let mut excerpt = String::new();
    let mut is_whole = true;
    for piece in lines::near(&changes, AROUND) {
        match piece {
            Piece::Gap(lines) => {
                excerpt += &lines::gap(lines);
                is_whole = false;
            }
            // What the fix adds is not for a reader who has not predicted yet.
            Piece::Line(change) if change.tag == ChangeTag::Insert => {}
            Piece::Line(change) => excerpt += &lines::line("span", &change.text),
        }
    }
    let all: String = leak.lines().map(|text| lines::line("span", text)).collect();
    let fold = format!(
        "<details class=\"wb-more\"><summary>{}, {}</summary>{}</details>",
        lines::whole(anchor),
        lines::count(leak.lines().count()),
        lines::block("All lines of leak", &all)
    );
    Ok(format!(
        "<figure class=\"wb-listing\"><figcaption><code>{}</code></figcaption>{}{}</figure>",
        html::text(&source::side_file(scenario, "leak")),
        lines::block("Lines of leak", &excerpt),
        if is_whole { "" } else { &fold }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(anchor: &str) -> anyhow::Result<String> {
        code(&Source::fixture(), "unconsumed-send", anchor)
    }

    #[test]
    fn the_leak_is_shown_without_what_the_fix_adds() {
        let html = shown("service").unwrap();
        assert!(!html.contains('\n'), "an empty line would end mdBook's HTML block");
        assert!(html.contains("LEAK:") && !html.contains("FIX:") && !html.contains("<ins"), "{html}");
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
    fn an_anchor_that_does_not_exist_is_an_error() {
        assert!(format!("{:#}", shown("none").unwrap_err()).ends_with("leak.rs: no `// ANCHOR: none` there"));
    }
}
