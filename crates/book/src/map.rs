//! `{{#map}}`: every chapter, by the parts of the book, with what a scenario says of itself. The order is that of `SUMMARY.md`.

use super::{
    html,
    parts::{Listed, Part},
    source::Source,
};

/// The list of all chapters, part by part.
pub(super) fn map(source: &Source) -> String {
    let part = |part: &Part| {
        let rows: String = part.chapters.iter().map(|one| row(source, one)).collect();
        format!("**{}**\n\n{rows}\n", html::inline(&part.title))
    };
    source.parts.iter().filter(|one| !one.chapters.is_empty()).map(part).collect()
}

/// A scenario says what its service does, and what to ask first of its code.
fn row(source: &Source, Listed { page, title, depth }: &Listed) -> String {
    let scenario = source.scenario(page).ok();
    let about = scenario.filter(|one| !one.about.is_empty()).map(|one| {
        let question = one.card.as_ref().map(|card| format!(" *{}*", html::inline_prose(&card.question)));
        format!(": {}.{}", html::inline_prose(one.about.trim_end_matches('.')), question.unwrap_or_default())
    });
    format!("{}- [{}]({page}.md){}\n", "  ".repeat(*depth), html::inline(title), about.unwrap_or_default())
}
