//! What a directive looks like: `{{#name argument …}}`, on one line.

use std::ops::Range;

const OPEN: &str = "{{#";
const CLOSE: &str = "}}";

/// Where every `{{#…}}` is, each on one line.
pub(super) fn all(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find(OPEN).map(|at| from + at) {
        let line = text[start..].lines().next().unwrap_or("");
        from = start + line.find(CLOSE).map_or(OPEN.len(), |at| at + CLOSE.len());
        if from > start + OPEN.len() {
            found.push(start..from);
        }
    }
    found
}

/// The words of one directive: its name and arguments.
pub(super) fn words(directive: &str) -> Vec<&str> {
    directive.trim_start_matches(OPEN).trim_end_matches(CLOSE).split_whitespace().collect()
}
