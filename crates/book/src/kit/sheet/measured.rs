//! What recorded runs say of the sides, in words for the sheet. Pure.

use evidence::{
    chart::{self, Course},
    series::{Recording, Report, Run},
    words,
};
use stage::{gauge::Kind, wire};

use super::super::{ingredients::Ingredients, order::Load};
use crate::html;

/// What the recorded runs show of one kit.
pub(super) struct Measured<'a> {
    of: &'a Ingredients,
    /// None where nobody recorded them.
    recording: Option<&'a Recording>,
}

impl<'a> Measured<'a> {
    pub(super) fn of(of: &'a Ingredients) -> Self {
        Self { of, recording: of.recording.as_ref().ok() }
    }

    /// The gauge that tells what stays.
    pub(super) fn headline(&self) -> &str {
        self.of.exercise.as_ref().map_or(&self.of.scenario.statement.gauge, |exercise| exercise.gauge())
    }

    fn run(&self, side: &str) -> Option<&'a Run> {
        self.recording?.sides.get(side)
    }

    /// What is given and what is accepted, drawn; or how to record it.
    pub(super) fn figure(&self) -> String {
        let (of, gauge) = (self.of, self.of.scenario.statement.gauge(self.headline()));
        let sides = [of.given(), of.goal()];
        let drawn = self.recording.and_then(|recording| {
            let courses = Course::recorded(recording, &sides).ok()?;
            let story = html::text(&chart::story(&gauge, &courses));
            let day = html::text(&recording.recorded);
            let svg = chart::svg(&gauge, &courses, &[]).ok()?;
            Some(format!("<figure><div class=\"plot\">{svg}</div><figcaption>{story} Recorded on {day}, with the load and the names of the workbook.</figcaption></figure>"))
        });
        drawn.unwrap_or_else(|| {
            let record = format!("cargo lab record {}", of.scenario.name);
            format!("<p>There is no recorded run yet. <code>{record}</code> makes one; then write this kit again.</p>")
        })
    }

    /// What is left of the headline gauge per unit of work, in what is given.
    fn left(&self) -> Option<f64> {
        self.run(self.of.given())?.report.survivors.get(self.headline()).copied()
    }

    /// What the candidate's first run will say at its end.
    pub(super) fn symptom(&self, load: Load, unit: &str, units: &str) -> Option<String> {
        let gauge = self.of.scenario.statement.gauge(self.headline());
        let left = self.left()?;
        if gauge.kind == Kind::Maximum {
            return None;
        }
        let (title, all) = (gauge.title(), words::grouped((left * load.units as f64).round().max(0.0) as u64));
        let each = words::left(&gauge, left)?;
        Some(format!(
            "{title} rise by {each} per {unit} and do not come back: {all} more after {} {units}.",
            load.units
        ))
    }

    /// File and line of the spawn that most of what stays comes from, in the workbook's file.
    pub(super) fn spawn(&self) -> Option<(String, usize)> {
        let run = self.run(self.of.given())?;
        let world = |place: &str| place.contains("/world.rs:");
        let own = run.report.spawned_at.iter().find(|site| !world(&site.location) && site.location.contains(".rs:"))?;
        let mut parts = own.location.rsplitn(3, ':');
        let line = parts.nth(1)?.parse().ok()?;
        let file = parts.next()?.rsplit('/').next()?.to_owned();
        Some((file, line))
    }

    /// How a side misses the goal of the kit all the same: what `--verify` would say of it.
    pub(super) fn misses(&self, side: &str) -> Vec<String> {
        let (of, run) = (self.of, self.run(side));
        let goal = &of.scenario.statement.survivors[of.goal()];
        let differences = |report: &Report| wire::differences(goal, &report.before, &report.after, &report.survivors);
        run.map_or_else(Vec::new, |run| differences(&run.report))
    }

    /// What a side left, where it was recorded: `3 tasks per search`.
    pub(super) fn of_side(&self, side: &str) -> String {
        let statement = &self.of.scenario.statement;
        let fails = self.of.exercise.as_ref().and_then(|exercise| exercise.facts.fails.get(side));
        let Some(run) = self.run(side) else {
            let fails = fails.map_or_else(String::new, |key| format!("fails for <code>{}</code>; ", html::text(key)));
            return format!("{fails}not recorded yet");
        };
        let stated = run.report.stated.keys().filter(|name| *name != "panics");
        let mut names: Vec<_> = stated.map(String::as_str).filter(|name| *name != self.headline()).collect();
        names.insert(0, self.headline());
        let said = names.into_iter().filter_map(|name| {
            let (gauge, left) = (statement.gauge(name), *run.report.survivors.get(name)?);
            let is_news = name == self.headline() || left.abs() >= 0.005;
            is_news
                .then(|| words::left(&gauge, left).map(|left| format!("{left} <code>{}</code>", html::text(name))))
                .flatten()
        });
        let said = said.take(3).collect::<Vec<_>>().join(", ");
        let unit = html::text(&statement.unit);
        let said = if said.is_empty() { String::new() } else { format!("{said} per {unit}") };
        match fails {
            Some(key) if !said.contains(&format!("<code>{key}</code>")) => {
                format!("fails for <code>{}</code>; {said}", html::text(key))
            }
            _ => said,
        }
    }
}
