//! What an exercise says of itself: the table `[package.metadata.exercise]`. Its load, its gauges and its goal stand in
//! `[package.metadata.lab]`, as a scenario's do: an exercise is a scenario whose one stated side is `solution`.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, ensure};
use serde::Deserialize;
use stage::gauge;

use crate::scenario::Scenario;

/// The leaking service, as it is given.
pub const START: &str = "start";
/// The reader's copy.
pub const MINE: &str = "mine";
/// The side whose statement is everybody's goal. Other solutions begin with it.
pub const SOLUTION: &str = "solution";
/// What the names of rejected sides begin with.
pub const TRAP: &str = "trap-";
/// The level at which nothing is said before the answer.
const BLIND: u8 = 3;
/// The steps of a ladder of hints.
pub const HINTS: usize = 3;
/// What a side may fail for, besides a gauge.
pub const KEYS: [&str; 7] = ["load", "panics", "answers", "repeated", "latency", "closing", "close_ms"];
/// Gauges of every exercise, besides the stage's.
const GAUGES: [&str; 3] = ["unfinished", "repeated", "heap_kib"];

/// The guard of an exercise as it is given: the text of `guard.rs`.
pub fn guard_text(name: &str) -> String {
    format!(
        "//! Your guard: one `#[leakcheck::test]` that fails on `start.rs` and passes on your copy. `cargo lab guard {name}` tries it on\n\
         //! both. `World::open()` gives you the peers and the service, `unit(n)` asks for one unit of work, `close()` ends the service.\n"
    )
}

/// One exercise: a package under `exercises/`.
#[derive(Clone, Debug)]
pub struct Exercise {
    /// Its name, page, load, gauges, goal and sides.
    pub scenario: Scenario,
    /// What it states besides.
    pub facts: Facts,
}

/// The table `[package.metadata.exercise]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// 1 *fix it*, 2 *find it*, 3 *blind*.
    pub level: u8,
    /// How long it takes.
    pub minutes: u32,
    /// The pages whose ideas it needs.
    pub chapters: Vec<String>,
    /// A ladder: where to look, what to think of, what to do.
    pub hints: Vec<String>,
    /// A unit of work may take this multiple of what it takes in `solution`, in the same run.
    pub latency: f64,
    /// Milliseconds from SIGTERM to the end of the service.
    pub close_ms: u64,
    /// The most that a gauge may rise above its value before the load; for a maximum, its highest value.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
    /// What `start` and each trap must fail for: a gauge, or one of [`KEYS`].
    pub fails: BTreeMap<String, String>,
    /// What the answer to the diagnosis is, where a run cannot tell.
    #[serde(default)]
    pub diagnosis: Diagnosis,
}

/// What is left, and where it comes from. Empty where tasks stay: then the run tells both.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Diagnosis {
    /// The gauge whose growth is the leak, where it is not the tasks'.
    pub gauge: Option<String>,
    /// A text that stands on one line of `start.rs`: the line that adds what stays.
    pub line: Option<String>,
    /// Nothing stays.
    pub healthy: bool,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    exercise: Facts,
}

impl Exercise {
    /// Reads what `scenario`, a package under `exercises/`, says of itself as an exercise.
    ///
    /// # Errors
    /// One line, with the file.
    pub fn of(scenario: Scenario) -> anyhow::Result<Self> {
        let file = format!("exercises/{}/Cargo.toml", scenario.name);
        let text =
            fs::read_to_string(scenario.dir.join("Cargo.toml")).with_context(|| format!("cannot read {file}"))?;
        let manifest: Manifest = toml::from_str(&text).with_context(|| file.clone())?;
        let exercise = Self { scenario, facts: manifest.package.metadata.exercise };
        exercise.check().with_context(|| file)?;
        Ok(exercise)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.scenario.name
    }

    /// True when nothing is wrong with `start`.
    pub fn is_healthy(&self) -> bool {
        self.facts.diagnosis.healthy
    }

    /// True when nothing may hint at the answer before it is given.
    pub fn is_blind(&self) -> bool {
        self.facts.level == BLIND
    }

    /// Its level in words.
    pub fn level(&self) -> &'static str {
        match self.facts.level {
            1 => "1, fix it",
            2 => "2, find it",
            _ => "3, blind",
        }
    }

    /// The gauge that tells the leak.
    pub fn gauge(&self) -> &str {
        self.facts.diagnosis.gauge.as_deref().unwrap_or(&self.scenario.statement.gauge)
    }

    /// Checks that the reader's copy can be read: it is the one side that somebody may move away.
    ///
    /// # Errors
    /// One line, with the command that makes it anew.
    pub fn check_mine(&self) -> anyhow::Result<()> {
        let name = self.name();
        let again = || {
            format!(
                "cannot read exercises/{name}/{MINE}.rs (begin anew: `cp exercises/{name}/{START}.rs exercises/{name}/{MINE}.rs`)"
            )
        };
        fs::read_to_string(self.scenario.source(MINE)).with_context(again).map(drop)
    }

    /// The names of the accepted sides, `solution` first.
    pub fn solutions(&self) -> impl Iterator<Item = &str> {
        self.sides_that(|name| name.starts_with(SOLUTION))
    }

    /// The names of the rejected sides.
    pub fn traps(&self) -> impl Iterator<Item = &str> {
        self.sides_that(|name| name.starts_with(TRAP))
    }

    /// The sides that are run and recorded: all but the reader's copy.
    pub fn proven(&self) -> impl Iterator<Item = &str> {
        self.sides_that(|name| name != MINE)
    }

    fn sides_that(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        self.scenario.sides.iter().map(|side| side.name.as_str()).filter(move |name| fits(name))
    }

    fn check(&self) -> anyhow::Result<()> {
        let Facts { level, minutes, hints, latency, fails, limits, .. } = &self.facts;
        ensure!((1..=3).contains(level), "exercise.level: 1, 2 or 3");
        ensure!((5..=90).contains(minutes), "exercise.minutes: from 5 to 90");
        ensure!(hints.len() == HINTS, "exercise.hints: {HINTS} steps");
        ensure!(latency.is_finite() && *latency >= 1.0, "exercise.latency: a multiple of 1 or more");
        let goal = self.scenario.statement.survivors.contains_key(SOLUTION);
        ensure!(
            goal && self.scenario.statement.survivors.len() == 1,
            "lab.survivors: states `{SOLUTION}` and nothing else"
        );
        for name in [START, MINE, SOLUTION] {
            ensure!(self.scenario.side(name).is_some(), "there is no binary {}", self.scenario.bin(name));
        }
        for (side, key) in fails {
            ensure!(self.scenario.side(side).is_some(), "exercise.fails.{side}: there is no such side");
            ensure!(
                self.is_key(key),
                "exercise.fails.{side}: `{key}` is no gauge of the goal and none of {}",
                KEYS.join(", ")
            );
        }
        let silent = self.traps().chain((!self.is_healthy()).then_some(START)).find(|side| !fails.contains_key(*side));
        ensure!(silent.is_none(), "exercise.fails says nothing of `{}`", silent.unwrap_or_default());
        let unknown = limits.keys().find(|name| !self.is_gauge(name));
        ensure!(unknown.is_none(), "exercise.limits.{}: there is no such gauge", unknown.map_or("", String::as_str));
        Ok(())
    }

    fn is_key(&self, key: &str) -> bool {
        KEYS.contains(&key)
            || self.facts.limits.contains_key(key)
            || key == "unfinished"
            || self.goal().contains_key(key)
    }

    fn is_gauge(&self, name: &str) -> bool {
        gauge::STAGE.contains(&name) || GAUGES.contains(&name) || self.scenario.statement.gauges.contains_key(name)
    }

    /// What is left of each gauge in a side that is right.
    pub fn goal(&self) -> &BTreeMap<String, stage::wire::Stated> {
        &self.scenario.statement.survivors[SOLUTION]
    }

    /// The line of `start.rs` that adds what stays, where the exercise says it; counted from 1.
    ///
    /// # Errors
    /// When the text stands on no line, or on several.
    pub fn stated_line(&self, start: &str) -> anyhow::Result<Option<usize>> {
        let Some(text) = &self.facts.diagnosis.line else { return Ok(None) };
        let lines: Vec<_> =
            start.lines().enumerate().filter(|(_, line)| line.contains(text)).map(|(i, _)| i + 1).collect();
        ensure!(
            lines.len() == 1,
            "exercise.diagnosis.line: `{text}` stands on {} lines of start.rs, not on one",
            lines.len()
        );
        Ok(lines.first().copied())
    }
}

#[cfg(test)]
pub(crate) mod tests;
