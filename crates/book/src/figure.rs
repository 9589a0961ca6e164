//! `{{#chart}}` and `{{#screen}}`.

use std::path::Path;

use anyhow::Context;
use evidence::{
    chart::{self, Course},
    exercise::Exercise,
    series::Recording,
};
use stage::{Statement, gauge::Gauge};

use super::{html, source::Source};

/// Every gauge of a run, drawn, and where the numbers come from. The reader chooses by radio buttons and CSS, without a script.
/// `id` tells this figure from the others of its page.
pub(super) fn chart(source: &Source, id: &str, scenario: &str, sides: &[&str]) -> anyhow::Result<String> {
    let recording = source.recorded(scenario, sides)?;
    let live = format!(" data-scenario=\"{}\" data-sides=\"{}\"", html::text(scenario), html::text(&sides.join(" ")));
    drawn(id, &live, &source.scenario(scenario)?.statement, &recording, sides)
}

/// The runs of an exercise: the service as it is given, or a solution beside it. `live` says what a page that the lab serves may run in
/// its place; empty where nothing.
pub(super) fn practice(
    id: &str,
    live: &str,
    exercise: &Exercise,
    recording: &Recording,
    sides: &[&str],
) -> anyhow::Result<String> {
    drawn(id, live, &exercise.scenario.statement, recording, sides)
}

fn drawn(id: &str, live: &str, statement: &Statement, recording: &Recording, sides: &[&str]) -> anyhow::Result<String> {
    let courses = Course::recorded(recording, sides)?;
    let mut choices = String::new();
    for gauge in chart::gauges(statement, &courses) {
        let choice = choice(id, &gauge, &courses, gauge.name == statement.gauge);
        choices += &choice.with_context(|| format!("cannot draw it, run `cargo lab record {}`", recording.scenario))?;
    }
    let bar = if live.is_empty() { "" } else { "<div class=\"wb-bar\"></div>" };
    Ok(format!(
        "<figure class=\"wb-chart\"{live}><div class=\"wb-gauge\" role=\"radiogroup\" aria-label=\"Gauge\">\
         {choices}</div>{bar}<figcaption class=\"wb-source\">{}</figcaption></figure>",
        html::text(&provenance(recording))
    ))
}

/// The button that chooses a gauge, and the drawing that it shows.
fn choice(id: &str, gauge: &Gauge, courses: &[Course<'_>], chosen: bool) -> anyhow::Result<String> {
    Ok(format!(
        "<label><input type=\"radio\" name=\"gauge-{id}\" value=\"{}\"{}>{}</label>\
         <div class=\"wb-drawing\">{}<p class=\"wb-story\">{}</p></div>",
        html::text(&gauge.name),
        if chosen { " checked" } else { "" },
        html::text(&chart::label(gauge)),
        chart::svg(gauge, courses, &[])?,
        html::text(&chart::story(gauge, courses))
    ))
}

fn provenance(recording: &Recording) -> String {
    // `rustc 1.95.0 (59807616e 2026-04-14)` and `1.95.0` are both recorded.
    let number = |version: &str| version.split(' ').find(|word| word.starts_with(char::is_numeric)).map(str::to_owned);
    let version = |name: &str| Some(format!(", {name} {}", number(recording.versions.get(name)?)?));
    let versions: String = ["tokio", "rustc"].into_iter().filter_map(version).collect();
    format!("Recorded on {} ({}{versions}).", recording.recorded, recording.machine)
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
