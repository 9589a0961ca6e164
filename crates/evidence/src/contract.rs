//! Whether a side of an exercise does what its `solution` does, by one run of both. Pure: no clock, no IO.
//!
//! The statement is the goal. A side passes when every gauge is back after N and after 4N units of work, every answer is right, every piece
//! of accepted work was finished once or refused, nothing exceeds its limit, a unit takes no longer than a multiple of what it takes in
//! `solution` beside it, and the service ends in time. Anything else is a [`Fault`] with a key and a sentence.

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};
use stage::{gauge::Kind, wire::Stated};

use crate::{
    exercise::Exercise,
    series::{Closing, Gauges, Report, Run},
    words,
};

/// Times that differ by less are the machine's, whatever their ratio.
const LATENCY_NOISE_US: u64 = 20_000;

/// One way in which a side is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A gauge's name, or one of [`crate::exercise::KEYS`]; `build`, `stdout` or `children` where it could not be judged by its run.
    pub key: String,
    /// What was seen, and what should be, in one sentence.
    pub sentence: String,
}

impl Fault {
    /// A fault called `key`.
    pub fn new(key: &str, sentence: impl Into<String>) -> Self {
        Self { key: key.to_owned(), sentence: sentence.into() }
    }
}

/// Every way in which `ran` differs from what the exercise's solution states, and from what it did beside it. Empty when the side passes.
pub fn judge(exercise: &Exercise, ran: &Run, solution: &Run) -> Vec<Fault> {
    let judge = Judge { exercise, ran };
    let mut faults = judge.load();
    faults.extend(judge.gauges());
    faults.extend(judge.limits());
    faults.extend(judge.latency(solution));
    faults.extend(judge.closing());
    faults
}

/// True for a fault that no busy machine makes: a count that stood still in the middle of the load and at its end, and that grew with the work.
/// Times and answers may be the machine's doing, and so may be what was counted before it came to rest.
pub fn is_certain(exercise: &Exercise, ran: &Run, fault: &Fault) -> bool {
    let judge = Judge { exercise, ran };
    let is_maximum = exercise.scenario.statement.gauge(&fault.key).kind == Kind::Maximum;
    let grew = judge.rise(&fault.key).is_some_and(|(early, late)| 0 < early && early < late);
    grew && !is_maximum && ran.report.settled && ran.report.stopped.is_none()
}

/// Holds the faults of a side against what the exercise says of it: a solution passes, and whatever is to fail fails for its own reason.
///
/// # Errors
/// Says what the side must do, and what it does.
pub fn as_stated(exercise: &Exercise, side: &str, faults: &[Fault]) -> anyhow::Result<()> {
    let seen =
        || faults.iter().map(|fault| format!("{} ({})", fault.key, fault.sentence)).collect::<Vec<_>>().join(", ");
    match exercise.facts.fails.get(side) {
        None => ensure!(faults.is_empty(), "must pass, and fails for {}", seen()),
        Some(key) if faults.is_empty() => bail!("must fail for `{key}`, and passes"),
        Some(key) => {
            ensure!(faults.iter().any(|fault| fault.key == *key), "must fail for `{key}`, and fails for {}", seen());
        }
    }
    Ok(())
}

struct Judge<'a> {
    exercise: &'a Exercise,
    ran: &'a Run,
}

impl Judge<'_> {
    /// Whether the work was done, and done right.
    fn load(&self) -> Vec<Fault> {
        let Report { units_done, units_failed, units_late, units_cut_off, panics, stopped, after, .. } =
            &self.ran.report;
        let units = &self.units();
        let mut faults = Vec::new();
        if *units_cut_off > 0 || stopped.is_some() {
            let why = stopped.as_deref().unwrap_or("the load was ended");
            let text = format!("{units_cut_off} {units} got no answer at all, {units_done} did: {why}");
            faults.push(Fault::new("load", text));
        }
        // A service whose work panics says how many panics are right.
        let stated = self.exercise.goal().contains_key("panics") || self.exercise.facts.limits.contains_key("panics");
        if *panics > 0 && !stated {
            faults.push(Fault::new(
                "panics",
                format!("{panics} panics, where there should be none{}", self.quoted("panicked")),
            ));
        }
        let wrong = units_failed + units_late;
        if wrong > 0 {
            let text =
                format!("{wrong} of {units_done} {units} got no answer or a wrong one{}", self.quoted(" unit: "));
            faults.push(Fault::new("answers", text));
        }
        let repeated =
            after.get("repeated").copied().max(self.ran.closing.as_ref().map(|closing| closing.repeated)).unwrap_or(0);
        if repeated > 0 {
            faults.push(Fault::new("repeated", format!("{repeated} {units} were done more than once")));
        }
        let at_rest = after.get("unfinished").copied().unwrap_or(0);
        let at_end = self.ran.closing.as_ref().map_or(0, |closing| closing.unfinished);
        if at_rest > 0 {
            faults.push(Fault::new(
                "unfinished",
                format!("{at_rest} {units} were accepted, and neither done nor refused"),
            ));
        } else if at_end > 0 {
            let text = format!("at its end the service had accepted {at_end} {units} that it neither did nor refused");
            faults.push(Fault::new("unfinished", text));
        }
        faults
    }

    /// Whether every gauge that the goal speaks of is back, after N and after 4N.
    fn gauges(&self) -> Vec<Fault> {
        let goal = self.exercise.goal().iter().filter(|(name, _)| *name != "unfinished");
        goal.filter_map(|(name, &stated)| self.gauge(name, stated)).collect()
    }

    fn gauge(&self, name: &str, stated: Stated) -> Option<Fault> {
        let (early, late) = self.rise(name)?;
        let (n, all) = (self.early_units(), self.ran.report.units_done);
        let most = |units: u64| match stated {
            Stated::PerUnit(left) => left * units as f64,
            Stated::AtMost { at_most } => at_most as f64,
        };
        let differs = early as f64 > most(n) || late as f64 > most(all);
        differs.then(|| {
            let (title, units) = (self.title(name), self.units());
            let goal = match stated {
                Stated::PerUnit(left) if left > 0.0 => format!("{} of them per {}", words::per_unit(left), self.unit()),
                Stated::AtMost { at_most } if at_most > 0 => format!("at most {at_most}, whatever the load"),
                _ => "none".to_owned(),
            };
            Fault::new(
                name,
                format!(
                    "{title}: {early} more than before after {n} {units}, {late} more after {all}; should be: {goal}{}",
                    self.spawned(name)
                ),
            )
        })
    }

    /// Whether nothing exceeds its limit.
    fn limits(&self) -> Vec<Fault> {
        let limits = self.exercise.facts.limits.iter();
        let over = |(name, &most): (&String, &u64)| {
            let (early, late) = match self.exercise.scenario.statement.gauge(name).kind {
                Kind::Maximum => (0, self.ran.report.after.get(name).copied()?),
                Kind::Level | Kind::Sum => self.rise(name)?,
            };
            let seen = early.max(late);
            (seen > most).then(|| {
                let text = format!("{}: {seen} is the most that was seen; the limit is {most}", self.title(name));
                Fault::new(name, text)
            })
        };
        limits.filter_map(over).collect()
    }

    fn latency(&self, solution: &Run) -> Option<Fault> {
        let median = |ran: &Run| ran.closing.as_ref()?.median_us;
        let (mine, its) = (median(self.ran)?, median(solution)?);
        let limit = self.exercise.facts.latency;
        let is_slow = mine as f64 > its as f64 * limit && mine > its + LATENCY_NOISE_US;
        is_slow.then(|| {
            let [mine, its] = [mine, its].map(|us| us.div_ceil(1000));
            let text = format!("every second {} took {mine} ms or more, and {its} ms in a solution beside it; at most {limit} times as long is allowed", self.unit());
            Fault::new("latency", text)
        })
    }

    fn closing(&self) -> Option<Fault> {
        let limit = self.exercise.facts.close_ms;
        match &self.ran.closing {
            None => Some(Fault::new(
                "close_ms",
                format!(
                    "the program did not say how its service ended; it should have ended {limit} ms after SIGTERM{}",
                    self.quoted("panicked")
                ),
            )),
            Some(Closing { error: Some(error), .. }) => {
                Some(Fault::new("closing", format!("the service did not end well: {error}")))
            }
            Some(Closing { ended: false, took_ms, .. }) => Some(Fault::new(
                "close_ms",
                format!("the service had not ended {took_ms} ms after SIGTERM; the limit is {limit} ms"),
            )),
            Some(Closing { took_ms, .. }) if *took_ms > limit => Some(Fault::new(
                "close_ms",
                format!("the service took {took_ms} ms to end after SIGTERM; the limit is {limit} ms"),
            )),
            Some(_) => None,
        }
    }

    /// How far a gauge is above its value before the load, after N and after 4N units; none where it cannot be read.
    fn rise(&self, name: &str) -> Option<(u64, u64)> {
        let Report { before, plateau, after, .. } = &self.ran.report;
        let was = before.get(name)?;
        let above = |gauges: &Gauges| gauges.get(name).map(|now| now.saturating_sub(*was));
        let late = above(after)?;
        Some((plateau.as_ref().and_then(|plateau| above(&plateau.gauges)).unwrap_or(0), late))
    }

    /// Where the tasks that are left were spawned; the world's own are no concern of the reader.
    fn spawned(&self, name: &str) -> String {
        let mine = self.ran.report.spawned_at.iter().filter(|site| !site.location.contains("/world.rs:"));
        let lines: Vec<_> = mine.take(2).map(|site| format!("{} at {}", site.alive, site.location)).collect();
        if name == "tasks" && !lines.is_empty() { format!(". Spawned: {}", lines.join(", ")) } else { String::new() }
    }

    /// The first line of the error output that has `part` in it.
    fn quoted(&self, part: &str) -> String {
        self.ran
            .said
            .iter()
            .find(|line| line.contains(part))
            .map_or_else(String::new, |line| format!(" (the program said: {line})"))
    }

    fn title(&self, name: &str) -> String {
        match name {
            // Whole MiB, in which memory is said elsewhere, would hide it.
            "heap_kib" => "allocated memory, KiB".to_owned(),
            name => self.exercise.scenario.statement.gauge(name).title(),
        }
    }

    fn unit(&self) -> &str {
        &self.exercise.scenario.statement.unit
    }

    fn units(&self) -> String {
        self.exercise.scenario.statement.units_name()
    }

    fn early_units(&self) -> u64 {
        self.ran.report.plateau.as_ref().map_or(0, |plateau| plateau.units_done)
    }
}

#[cfg(test)]
mod tests;
