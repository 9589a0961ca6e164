//! `{{#chart}}` and `{{#screen}}`.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::{html, source::Source};
use crate::{
    chart,
    series::{Phase, Recording, Run},
    words::gauge_title,
};

/// The drawing, the numbers behind it for the page's script, and where they come from.
pub(super) fn chart(recording: &Recording, sides: &[&str]) -> anyhow::Result<String> {
    let svg = chart::svg(recording, sides)
        .with_context(|| format!("cannot draw it, run `cargo lab record {}`", recording.scenario))?;
    let scenario = html::text(&recording.scenario);
    // `</` would end the script element.
    let data = data(recording, sides)?.to_string().replace("</", "<\\/");
    Ok(format!(
        "<figure class=\"wb-chart\" data-scenario=\"{scenario}\">{svg}\
         <script type=\"application/json\">{data}</script>\
         <figcaption><span class=\"wb-story\">{}</span> <span class=\"wb-source\">{}</span></figcaption></figure>",
        html::text(&chart::story(recording, sides)?),
        html::text(&provenance(recording))
    ))
}

fn provenance(recording: &Recording) -> String {
    // `rustc 1.95.0 (59807616e 2026-04-14)` and `1.95.0` are both recorded.
    let number = |version: &str| version.split(' ').find(|word| word.starts_with(char::is_numeric)).map(str::to_owned);
    let version = |name: &str| Some(format!(", {name} {}", number(recording.versions.get(name)?)?));
    let versions: String = ["tokio", "rustc"].into_iter().filter_map(version).collect();
    format!("Recorded on {} ({}{versions}).", recording.recorded, recording.machine)
}

/// What the page's script draws: every gauge over time.
fn data(recording: &Recording, sides: &[&str]) -> anyhow::Result<Value> {
    let runs = sides.iter().map(|side| Ok((*side, recording.run(side)?))).collect::<anyhow::Result<Vec<_>>>()?;
    let mut titles = serde_json::Map::new();
    for name in runs.iter().flat_map(|(_, run)| run.series.gauges.keys()).map(String::as_str).chain(["console_tasks"]) {
        titles.insert(name.to_owned(), gauge_title(name).into());
    }
    let sides: Vec<_> = runs.iter().map(|(side, run)| side_data(side, run)).collect();
    Ok(json!({ "gauge": recording.gauge, "unit": recording.unit, "titles": titles, "sides": sides }))
}

fn side_data(side: &str, run: &Run) -> Value {
    let series = &run.series;
    let mut gauges: serde_json::Map<_, _> =
        series.gauges.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
    gauges.insert("console_tasks".to_owned(), json!(series.console_tasks));
    let quiet = series.phase.iter().position(|phase| *phase == Phase::Quiet).map(|i| series.elapsed_ms[i]);
    json!({ "side": side, "ms": series.elapsed_ms, "quiet": quiet, "gauges": gauges })
}

/// The two captured consoles as a picture, and as text for those who cannot see it.
pub(super) fn screen(source: &Source, chapter: &Path, scenario: &str) -> anyhow::Result<String> {
    let text = source.screen(scenario)?;
    let up = "../".repeat(chapter.components().count() - 1);
    let svg = format!("{up}screens/{scenario}.svg");
    Ok(format!(
        "<figure class=\"wb-screen\"><div class=\"wb-scroll\"><a href=\"{svg}\"><img src=\"{svg}\" loading=\"lazy\" \
         alt=\"Two tokio-consoles: {scenario}-leak and {scenario}-fix. The same as text follows.\"></a></div>\
         <details><summary>The same screens as text</summary><pre><code class=\"language-text\">{}</code></pre></details>\
         <figcaption>tokio-console on <code>{scenario}-leak</code> and on <code>{scenario}-fix</code>, captured at the \
         end of the run. Yours: <code>scripts/pair {scenario}</code></figcaption></figure>",
        html::text(text.trim_end())
    ))
}
