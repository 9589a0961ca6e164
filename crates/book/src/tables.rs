//! `{{#sides}}`, `{{#gauges}}` and `{{#survivors}}`.

use std::collections::BTreeSet;

use anyhow::Context;
use evidence::{
    catalogue::Scenario,
    series::{Group, Recording, Run},
    side::{self, Role},
    words::{column_title, grouped, left as in_words, number},
};
use stage::gauge::{self, Gauge, Kind};

use super::{html, source::Source};

/// Below this, nothing is left.
const REST_PER_UNIT_MAX: f64 = stage::wire::REST_PER_UNIT_MAX;
/// Memory moves everywhere: the console keeps some for both sides, and the allocator too.
pub(super) const MEMORY: &str = "rss_kib";

/// Every side: what it is, and what it leaves behind.
pub(super) fn sides(source: &Source, recording: &Recording) -> anyhow::Result<String> {
    let scenario = source.scenario(&recording.scenario)?;
    let own = own_gauges(scenario, recording);
    let (unit, headline) = (html::text(&recording.unit), scenario.statement.gauge(&recording.gauge));
    let title = |gauge: &Gauge| html::text(&column_title(gauge));
    let mut head = vec![
        "Side".to_owned(),
        "What it is".to_owned(),
        format!("{}, left per {unit}", title(&headline)),
        format!("{}, peak", title(&headline)),
    ];
    head.extend(own.iter().map(|gauge| match gauge.kind {
        Kind::Maximum => format!("{}, at most", title(gauge)),
        Kind::Level | Kind::Sum => format!("{} per {unit}", title(gauge)),
    }));
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let rows = ordered(recording)
        .into_iter()
        .map(|(side, run)| side_row(scenario, side, run, &headline, &own))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let caption = format!("Every side of {} under the same load", html::text(&recording.scenario));
    Ok(html::table("wb-sides", &caption, &head, &rows))
}

fn side_row(
    scenario: &Scenario,
    side: &str,
    run: &Run,
    headline: &Gauge,
    own: &[Gauge],
) -> anyhow::Result<Vec<String>> {
    let about = scenario.side(side).with_context(|| format!("{} has no side `{side}`", scenario.name))?;
    let file = || format!("{}/{side}.rs", scenario.folder());
    let sentence =
        about.sentence.as_ref().with_context(|| format!("{} does not begin with a `//!` sentence", file()))?;
    let mut what = html::prose(sentence);
    if let Some((_, why)) = &about.marked {
        what += &format!("<br><span class=\"wb-why\">{}</span>", html::prose(why));
    }
    let mut row = vec![
        format!("<span class=\"{}\">{side}</span>", Role::of(side).class()),
        what,
        left(run, headline),
        number(headline, run.series.peak(&headline.name)),
    ];
    row.extend(own.iter().map(|gauge| match gauge.kind {
        Kind::Maximum => run.report.after.get(&gauge.name).map_or_else(absent, |most| number(gauge, *most)),
        Kind::Level | Kind::Sum => left(run, gauge),
    }));
    Ok(row)
}

/// Each gauge before and after the load, for leak and fix.
pub(super) fn gauges(source: &Source, recording: &Recording) -> anyhow::Result<String> {
    let scenario = source.scenario(&recording.scenario)?;
    let (leak, fix) = (recording.run("leak")?, recording.run("fix")?);
    let unit = html::text(&recording.unit);
    let left_title = format!("left per {unit}");
    let head = ["Gauge", "Leak", &left_title, "Fix", &left_title];
    let all = std::iter::once(scenario.statement.gauge(&recording.gauge))
        .chain(own_gauges(scenario, recording))
        .chain(gauge::STAGE.map(Gauge::named));
    let mut seen = BTreeSet::new();
    let shown =
        all.filter(|gauge| seen.insert(gauge.name.clone()) && [leak, fix].iter().any(|run| has(run, &gauge.name)));
    let rows: Vec<_> = shown
        .map(|gauge| {
            let title = html::text(&column_title(&gauge));
            vec![title, change(leak, &gauge), left(leak, &gauge), change(fix, &gauge), left(fix, &gauge)]
        })
        .collect();
    let caption = format!(
        "Gauges before → after {} {}, at rest",
        grouped(leak.report.units_done),
        html::text(&recording.units_name)
    );
    Ok(html::table("wb-gauges", &caption, &head, &rows))
}

/// The console's tasks at the end of a run, alike ones together.
pub(super) fn survivors(recording: &Recording, side: &str) -> anyhow::Result<String> {
    let run = recording
        .run(side)
        .with_context(|| format!("if that is new, run `cargo lab record {}`", recording.scenario))?;
    let console = &run.console;
    let bin = format!("<code>{}-{}</code>", html::text(&recording.scenario), html::text(side));
    let lost = match console.dropped_events {
        0 => String::new(),
        n => format!(" It lost {} events, so these numbers are not reliable.", grouped(n)),
    };
    if console.groups.is_empty() {
        return Ok(format!("<p class=\"wb-none\">At the end of {bin} the console shows no task.{lost}</p>"));
    }
    let rows: Vec<_> = console.groups.iter().map(|group| group_row(&recording.scenario, group)).collect();
    let caption = format!("What the console shows at the end of {bin}: {} live tasks.{lost}", grouped(console.tasks));
    Ok(html::table("wb-survivors", &caption, &["Count", "Spawned at", "Waits on", "State", "Polls"], &rows))
}

fn group_row(scenario: &str, group: &Group) -> Vec<String> {
    let place = group.spawned_at.strip_prefix(&format!("scenarios/{scenario}/")).unwrap_or(&group.spawned_at);
    let mut spawned = format!("<code>{}</code>", html::text(place));
    if !group.name.is_empty() {
        spawned += &format!(" “{}”", html::text(&group.name));
    }
    if group.kind != "task" {
        spawned += &format!(" ({})", html::text(&group.kind));
    }
    let waits_on = match &group.waits_on {
        Some(resource) => html::text(resource),
        None => "<span class=\"wb-unseen\">the console cannot see it</span>".to_owned(),
    };
    let polls = match group.polls {
        (fewest, most) if fewest == most => grouped(most),
        (fewest, most) => format!("{}–{}", grouped(fewest), grouped(most)),
    };
    vec![grouped(group.count), spawned, waits_on, html::text(&group.state), polls]
}

fn has(run: &Run, gauge: &str) -> bool {
    run.report.after.contains_key(gauge)
}

fn change(run: &Run, gauge: &Gauge) -> String {
    match (run.report.before.get(&gauge.name), run.report.after.get(&gauge.name)) {
        (Some(before), Some(after)) => format!("{} → {}", number(gauge, *before), number(gauge, *after)),
        _ => absent(),
    }
}

/// What is left per unit; set apart when it is something.
fn left(run: &Run, gauge: &Gauge) -> String {
    let Some(&left) = run.report.survivors.get(&gauge.name) else { return absent() };
    match in_words(gauge, left) {
        None => absent(),
        Some(words) if gauge.name != MEMORY && left.abs() > REST_PER_UNIT_MAX => format!("<strong>{words}</strong>"),
        Some(words) => words,
    }
}

fn absent() -> String {
    "–".to_owned()
}

/// The gauges that the scenario itself added, without the headline.
fn own_gauges(scenario: &Scenario, recording: &Recording) -> Vec<Gauge> {
    let all: BTreeSet<_> =
        recording.sides.values().flat_map(|run| run.report.after.keys()).map(String::as_str).collect();
    let own = all.into_iter().map(|name| scenario.statement.gauge(name));
    own.filter(|gauge| !gauge.is_of_stage() && gauge.name != recording.gauge).collect()
}

fn ordered(recording: &Recording) -> Vec<(&str, &Run)> {
    let names = side::ordered(recording.sides.keys().map(String::as_str));
    names.into_iter().map(|name| (name, &recording.sides[name])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        (*Source::fixture().recording("unconsumed-send").unwrap()).clone()
    }

    #[test]
    fn a_side_that_was_not_recorded_has_no_table() {
        assert!(survivors(&recording(), "wrong").is_err());
        let mut without_fix = recording();
        without_fix.sides.remove("fix");
        assert!(gauges(&Source::fixture(), &without_fix).is_err());
    }

    #[test]
    fn a_recorded_side_whose_file_is_gone_is_an_error() {
        let mut recording = recording();
        let run = recording.sides["fix"].clone();
        recording.sides.insert("lost".to_owned(), run);
        let error = sides(&Source::fixture(), &recording).unwrap_err();
        assert_eq!(error.to_string(), "unconsumed-send has no side `lost`");
    }

    #[test]
    fn lost_events_are_said_next_to_the_numbers_they_spoil() {
        let mut recording = recording();
        recording.sides.get_mut("leak").unwrap().console.dropped_events = 7;
        assert!(survivors(&recording, "leak").unwrap().contains("lost 7 events"));
    }

    #[test]
    fn what_is_left_is_set_apart_and_what_returned_is_not() {
        let table = gauges(&Source::fixture(), &recording()).unwrap();
        assert!(
            table.contains(
                ">0 → 1,200</td><td data-label=\"left per search\"><strong>6</strong></td><td data-label=\"Fix\">0 → 0<"
            ),
            "{table}"
        );
        assert!(table.contains("resident memory, MiB</th><td data-label=\"Leak\">10 → 62</td>"), "{table}");
    }

    #[test]
    fn the_console_says_where_it_cannot_see() {
        let mut recording = recording();
        let console = &mut recording.sides.get_mut("leak").unwrap().console;
        console.groups[0].waits_on = None;
        assert!(survivors(&recording, "leak").unwrap().contains("cannot see it"));
        assert!(survivors(&recording, "fix").unwrap().contains("shows no task"));
    }
}
