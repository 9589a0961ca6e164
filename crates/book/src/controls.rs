//! `{{#controls}}` and `{{#control NAME}}`: services that look like a leak and are none, each beside a twin that leaks.

use anyhow::Context;
use evidence::{
    catalogue::{CONTROL, Control, Scenario, title_of},
    chart::{self, Course},
    exhibit,
    series::{Gauges, Recording, Run},
    side::{Role, capital},
    words::{column_title, grouped, number},
};
use stage::{
    gauge::Gauge,
    wire::{Plateau, Report},
};

use super::{diff, html, lines, source::Source};

/// The page that shows them all, in its order.
const PAGE: &str = "looks-like-a-leak.md";
/// The region that the page shows of each side.
const ANCHOR: &str = "service";

/// What to measure, how long to wait and what decides: a row for each control, in the order in which the page shows them.
pub(super) fn all(source: &Source) -> anyhow::Result<String> {
    let head = ["It looks like a leak", "Measure", "Wait", "What decides"];
    let page = source.page(PAGE)?;
    let place = |one: &Scenario| {
        let at = page.find(&format!("{{{{#control {}}}}}", one.name));
        at.with_context(|| format!("{PAGE} does not show {}: write `{{{{#control {}}}}}` there", one.name, one.name))
    };
    let mut ordered: Vec<_> =
        source.controls().iter().map(|one| Ok((place(one)?, one))).collect::<anyhow::Result<_>>()?;
    ordered.sort_by_key(|(at, _)| *at);
    let rows = ordered.into_iter().map(|(_, one)| {
        let Control { looks, measure, wait, decides, .. } = facts(one)?;
        let way = format!("<a href=\"#{}\">{}</a>", html::text(&one.name), html::prose(&capital(looks)));
        Ok([vec![way], [measure, wait, decides].map(|cell| html::prose(&capital(cell))).to_vec()].concat())
    });
    let rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(html::table("wb-index", "What tells each of them from a leak", &head, &rows))
}

/// One control: both courses of the gauge that tells, the numbers after a quarter of the load and after all of it, and the lines that differ.
pub(super) fn one(source: &Source, name: &str) -> anyhow::Result<String> {
    let control = source.scenario(name)?;
    let facts = facts(control)?;
    let sides = control.pair();
    let recording = source.recorded(name, &sides)?;
    let gauges: Vec<_> = [&control.statement.gauge].into_iter().chain(&facts.beside).collect();
    let gauges: Vec<_> = gauges.into_iter().map(|gauge| control.statement.gauge(gauge)).collect();
    let courses = Course::recorded(&recording, &sides)?;
    let mut drawings = String::new();
    for gauge in &gauges {
        let (svg, story) = (chart::svg(gauge, &courses, &[])?, chart::story(gauge, &courses));
        drawings += &format!(
            "<figure class=\"wb-chart\"><div class=\"wb-drawing\">{svg}<p class=\"wb-story\">{}</p></div></figure>\n\n",
            html::text(&story)
        );
    }
    let [old, new] = diff::regions(source, name, ANCHOR, sides)?;
    let changes = lines::changes(&old, &new);
    Ok(format!(
        "{drawings}{}\n\n\
         <details class=\"wb-more\"><summary>From the twin that leaks to the control: {}</summary>{}</details>\n",
        numbers(control, &recording, &gauges)?,
        diff::counted(&changes),
        lines::block(&format!("What changes from leak to {CONTROL}"), &diff::hunks(&changes)),
    ))
}

fn facts(control: &Scenario) -> anyhow::Result<&Control> {
    control.control.as_ref().with_context(|| format!("{} is no control", control.name))
}

/// Both sides after a quarter of the load and after all of it, at rest.
fn numbers(control: &Scenario, recording: &Recording, gauges: &[Gauge]) -> anyhow::Result<String> {
    let mut head = vec!["Side".to_owned(), "What it is".to_owned()];
    head.extend(gauges.iter().map(|gauge| html::text(&capital(&column_title(gauge)))));
    let report = &recording.run(CONTROL)?.report;
    let caption = format!(
        "{} and its twin, at rest after {} → {} {}",
        title_of(&control.name),
        grouped(early(control, report)?.units_done),
        grouped(report.units_done),
        html::text(&recording.units_name)
    );
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let rows = control.pair().map(|side| row(control, side, recording.run(side)?, gauges));
    let rows = rows.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(html::table("wb-sides", &caption, &head, &rows))
}

fn row(control: &Scenario, side: &str, run: &Run, gauges: &[Gauge]) -> anyhow::Result<Vec<String>> {
    let about = control.side(side).with_context(|| format!("{} has no side `{side}`", control.name))?;
    let missing = || format!("{}/{side}.rs does not begin with a `//!` sentence", control.folder());
    let mut what = html::prose(about.sentence.as_ref().with_context(missing)?);
    if let Some((_, why)) = &about.marked {
        what += &format!("<br><span class=\"wb-why\">{}</span>", html::prose(why));
    }
    let mut row = vec![format!("<span class=\"{}\">{side}</span>", Role::of(side).class()), what];
    let early = early(control, &run.report)?;
    for gauge in gauges {
        let at = |gauges: &Gauges| gauges.get(&gauge.name).map_or("–".to_owned(), |n| number(gauge, *n));
        row.push(format!("{} → {}", at(&early.gauges), at(&run.report.after)));
    }
    Ok(row)
}

/// What was left after the first quarter, at rest.
fn early<'a>(control: &Scenario, report: &'a Report) -> anyhow::Result<&'a Plateau> {
    report.plateau.as_ref().with_context(|| format!("{}: {}", control.name, exhibit::renew(&control.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_no_control() {
        let error = one(&Source::fixture(), "unconsumed-send").unwrap_err();
        assert_eq!(error.to_string(), "unconsumed-send is no control");
    }

    #[test]
    fn every_control_rises_like_its_twin_at_first_and_is_left_behind() {
        let root = evidence::root::find().unwrap();
        for control in evidence::catalogue::Catalogue::read(&root).unwrap().controls {
            let recording = evidence::recording::load(&root, &control.name).unwrap();
            let [leak, own] = control.pair().map(|side| recording.run(side).unwrap());
            let young = |gauge: &str| early(&control, &leak.report).unwrap().gauges[gauge];
            let drawn: Vec<_> =
                [&control.statement.gauge].into_iter().chain(&facts(&control).unwrap().beside).collect();
            // By one of the gauges that are drawn, nobody can tell which side is which.
            let is_alike = drawn.iter().any(|gauge| own.series.peak(gauge) * 2 >= young(gauge));
            let more = |run: &Run| run.report.after[drawn[0]] - run.report.before[drawn[0]];
            assert!(is_alike && more(leak) > more(own), "{}", control.name);
        }
    }
}
