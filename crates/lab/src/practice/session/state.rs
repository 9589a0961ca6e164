//! What is known in the middle of a practice, and how it reads. Pure.

use std::{collections::BTreeMap, time::Duration};

use evidence::{
    exercise::{Exercise, HINTS},
    series::{Sample, Series},
};

use crate::{
    check::{Outcome, TRIES, Verdict},
    practice::{
        guard::{Judged, Worth},
        layout::wrapped,
        list,
        progress::Entry,
    },
};

/// Of the compiler's words so many lines are shown; the command says all.
const COMPILER_MAX: usize = 12;
/// Faults that are shown; the first is the one to mend first.
const FAULTS_MAX: usize = 3;

/// What is being done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Nothing: a save is waited for.
    #[default]
    Waiting,
    /// Cargo builds, or waits.
    Building(String),
    /// The copy runs beside a solution.
    Running,
    /// They run once more, and how often that makes: the machine was too busy to tell.
    Again(u32),
    /// The guard's tests run.
    Guarding,
}

/// How the last check ended.
#[derive(Clone, Debug)]
pub(crate) enum Checked {
    Judged(Box<Verdict>),
    /// The surroundings are wrong.
    Failed(String),
}

/// What is known.
pub(crate) struct State<'a> {
    pub(crate) exercise: &'a Exercise,
    pub(crate) entry: Entry,
    pub(crate) doing: Doing,
    pub(crate) series: BTreeMap<String, Series>,
    pub(crate) checked: Option<Checked>,
    /// How long the last check took, from the save on.
    pub(crate) took: Duration,
    pub(crate) guard: Option<Judged>,
    pub(crate) mine_gone: bool,
    /// What a key brought: a hint, a question, a word on what is not there.
    pub(crate) note: String,
}

/// A piece of the picture, as it is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Faint,
}

pub(crate) type Text = (Tone, String);

impl<'a> State<'a> {
    pub(crate) fn new(exercise: &'a Exercise, entry: Entry) -> Self {
        Self {
            exercise,
            entry,
            doing: Doing::default(),
            series: BTreeMap::new(),
            checked: None,
            took: Duration::ZERO,
            guard: None,
            mine_gone: false,
            note: String::new(),
        }
    }

    /// The exercise and what was done of it, in one line that is short where little was done.
    pub(crate) fn heading(&self) -> String {
        let (facts, entry) = (&self.exercise.facts, &self.entry);
        let mut parts = vec![self.exercise.name().to_owned(), format!("level {}", facts.level)];
        parts.extend((entry.hints > 0).then(|| format!("hints {}/{HINTS}", entry.hints)));
        parts.extend(entry.answered.is_some().then(|| format!("answers {}", list::answered(entry))));
        parts.extend(entry.passed.is_some().then(|| "passed".to_owned()));
        parts.extend(entry.guarded.is_some().then(|| "guarded".to_owned()));
        parts.join(", ")
    }

    /// Keeps of a sample what the exercise is judged by: other gauges would be read for signs.
    pub(crate) fn sample(&mut self, side: String, mut sample: Sample) {
        let (goal, limits) = (self.exercise.goal(), &self.exercise.facts.limits);
        let gauge = self.exercise.gauge();
        sample.gauges.retain(|name, _| name == gauge || goal.contains_key(name) || limits.contains_key(name));
        self.series.entry(side).or_default().push(&sample, 0);
    }

    /// Everything below the chart.
    pub(crate) fn lines(&self, width: usize) -> Vec<Text> {
        let mut lines = Vec::new();
        let mut say = |tone: Tone, head: &str, text: &str| {
            lines.extend(wrapped(head, text, width).into_iter().map(|line| (tone, line)));
        };
        if self.mine_gone {
            say(Tone::Bad, "", &gone(self.exercise));
        } else if let Some((tone, text)) = self.doing() {
            say(tone, "", &text);
        }
        if self.doing == Doing::Waiting && !self.mine_gone {
            for (tone, head, text) in self.verdict() {
                say(tone, head, &text);
            }
        }
        if let Some(judged) = self.guard.as_ref().filter(|_| self.doing == Doing::Waiting) {
            let tone = if judged.worth == Worth::Guards { Tone::Good } else { Tone::Bad };
            say(tone, "guard: ", &judged.sentence);
        }
        if self.doing == Doing::Waiting && self.checked.is_some() {
            say(Tone::Plain, "missing: ", &self.missing());
        }
        if !self.note.is_empty() {
            say(Tone::Plain, "", &self.note);
        }
        lines
    }

    fn doing(&self) -> Option<Text> {
        match &self.doing {
            Doing::Waiting => None,
            Doing::Building(text) => Some((Tone::Faint, text.clone())),
            Doing::Running => Some((Tone::Faint, "your copy runs beside a solution".to_owned())),
            Doing::Again(attempt) => Some((Tone::Faint, again(*attempt))),
            Doing::Guarding => Some((Tone::Faint, "your guard runs on start.rs and on your copy".to_owned())),
        }
    }

    /// The verdict on the reader's copy: tone, head and sentence.
    pub(crate) fn verdict(&self) -> Vec<(Tone, &'static str, String)> {
        let verdict = match &self.checked {
            None => return Vec::new(),
            Some(Checked::Failed(why)) => return vec![(Tone::Bad, "", why.clone())],
            Some(Checked::Judged(verdict)) => verdict,
        };
        let seconds = format!("({:.1} s)", self.took.as_secs_f64());
        let mut lines = match verdict.outcome {
            Outcome::Passed => vec![(Tone::Good, "", format!("your copy passes {seconds}"))],
            Outcome::Failed => vec![(Tone::Bad, "", format!("your copy does not pass {seconds}"))],
            Outcome::TooBusy => {
                vec![(Tone::Bad, "", format!("this machine was too busy to tell {seconds}: Enter tries again"))]
            }
        };
        let faults = verdict.faults.iter().take(FAULTS_MAX);
        lines.extend(faults.map(|fault| (Tone::Plain, "  ", fault.sentence.clone())));
        match verdict.faults.len().saturating_sub(FAULTS_MAX) {
            0 => {}
            more => lines.push((
                Tone::Plain,
                "  ",
                format!("and {more} more: `cargo lab check {}` says all", self.exercise.name()),
            )),
        }
        if verdict.faults.iter().any(|fault| fault.key == "build") {
            let words = verdict.said.iter().take(COMPILER_MAX);
            lines.extend(words.map(|line| (Tone::Faint, "", line.clone())));
        }
        lines
    }

    /// What is still to do.
    pub(crate) fn missing(&self) -> String {
        let missing = self.entry.missing();
        if missing.is_empty() {
            return "nothing; n opens the next exercise".to_owned();
        }
        let what = |step: &&str| match *step {
            "answer" => "answer (a)",
            "fix" => "fix (edit mine.rs)",
            _ => "guard (write guard.rs, then g)",
        };
        missing.iter().map(what).collect::<Vec<_>>().join(", ")
    }

    /// The step of the ladder that was taken last.
    pub(crate) fn hint(&self) -> String {
        let taken = self.entry.hints.min(HINTS);
        match self.exercise.facts.hints.get(taken.saturating_sub(1)) {
            Some(hint) if taken > 0 => format!("hint {taken} of {HINTS}: {hint}"),
            _ => "no hint was taken yet".to_owned(),
        }
    }

    /// Why there is no hint yet; none where there is one.
    pub(crate) fn no_hint(&self) -> Option<&'static str> {
        (self.exercise.facts.level == 3 && self.entry.answered.is_none())
            .then_some("this one is blind: its hints open after your answer (a)")
    }
}

/// What to say of a run that may have been late.
pub(crate) fn again(attempt: u32) -> String {
    format!("this machine was too busy to tell: try {attempt} of {TRIES}")
}

/// What to say of a copy that is missing.
pub(crate) fn gone(exercise: &Exercise) -> String {
    format!("exercises/{}/mine.rs is missing: r brings it back from start.rs", exercise.name())
}

/// The keys, as wide as there is room.
pub(crate) fn keys(width: usize) -> &'static str {
    match width {
        72.. => "h hint  a answer  g guard  s solution  r reset  n next  q quit",
        _ => "h hint a answer g guard s solution r reset n q",
    }
}

#[cfg(test)]
mod tests;
