//! A chart that stands alone: for the README, where no stylesheet of the book is.

use crate::{chart, series::Recording};

/// The colours of the book's light and dark themes.
const STYLE: &str = "<style>\
svg{font:13px system-ui,sans-serif;background:#fff}text{fill:#333}.wb-grid{stroke:#333;opacity:.15}.wb-load{fill:#333;opacity:.05}\
polyline{fill:none;stroke-width:2.5}polyline.wb-leak{stroke:#b34700}polyline.wb-fix{stroke:#005f9e;stroke-dasharray:8 5}\
text.wb-leak,circle.wb-leak{fill:#b34700}text.wb-fix,circle.wb-fix{fill:#005f9e}text.wb-leak,text.wb-fix{font-weight:700}\
</style>";

/// Leak and fix of a recording as a file of its own.
///
/// # Errors
/// When the recording lacks one of the two.
pub fn divergence(recording: &Recording) -> anyhow::Result<String> {
    let svg = chart::svg(recording, &["leak", "fix"])?;
    let (tag, rest) = svg.split_once('>').unwrap_or((&svg, ""));
    let namespace = if tag.contains("xmlns=") { "" } else { " xmlns=\"http://www.w3.org/2000/svg\"" };
    Ok(format!("{tag}{namespace}>{STYLE}{rest}\n"))
}
