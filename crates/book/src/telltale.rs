//! What the recording of a leak says of it: the gauges that rise and stay, and the tasks that are left. The card and the index are made
//! of this.

use std::rc::Rc;

use evidence::{
    catalogue::Scenario,
    series::{Group, Recording},
    words::left as in_words,
};
use stage::gauge::{self, Gauge, Kind};

use super::{source::Source, tables};

/// The leaking side is what card and index are about.
pub(super) const LEAK: &str = "leak";
/// Where nothing of the work is left to see.
pub(super) const NO_TASK: &str = "no task of the work is left";
/// A group of tasks is the leak's when there is at least this much of it per unit of work.
const PER_UNIT_MIN: f64 = 0.5;
/// Less than this per unit is what a run happens to leave, and not what its work leaves.
const TELLING_MIN: f64 = 0.1;
/// A task that work has reached was polled a few times, and then no more. One that ticks is polled for as long as it lives, so those
/// from the beginning of a run have many polls. In no recording is there a group between 9 and 15.
const RISING_MIN: u64 = 12;
/// What wakes a task for ever.
const TICKS: &str = "Interval";

/// A leak as its recording tells it.
pub(super) struct Telltale<'a> {
    pub(super) one: &'a Scenario,
    pub(super) recording: Rc<Recording>,
    /// The gauges that tell leak and fix apart, with how much stays per unit; the headline first.
    pub(super) moved: Vec<(Gauge, String)>,
}

/// What moves beside the count of live tasks: this tells apart what that count cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Beside {
    /// Sockets, and a gauge of the service's own.
    SocketsAndOwn,
    Sockets,
    Descriptors,
    Threads,
    Own,
    OwnSum,
    Nothing,
}

/// Whether the tasks that are left are still polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Polls {
    Still,
    Rising,
}

/// Every scenario's, in the order of the book.
pub(super) fn all(source: &Source) -> anyhow::Result<Vec<Telltale<'_>>> {
    source.scenarios()?.iter().map(|one| Telltale::new(one, source.recording(&one.name)?)).collect()
}

impl<'a> Telltale<'a> {
    /// What a recording says of a scenario's leak.
    ///
    /// # Errors
    /// When leak or fix was not recorded.
    pub(super) fn new(one: &'a Scenario, recording: Rc<Recording>) -> anyhow::Result<Self> {
        let moved = moved(one, &recording)?;
        recording.run(LEAK)?;
        Ok(Self { one, recording, moved })
    }

    /// Whether one of these gauges rises and stays.
    pub(super) fn moves(&self, names: &[&str]) -> bool {
        self.moved.iter().any(|(gauge, _)| names.contains(&gauge.name.as_str()))
    }

    /// Whether a gauge that only this service has rises and stays.
    pub(super) fn moves_own(&self) -> bool {
        self.moved.iter().any(|(gauge, _)| !gauge.is_of_stage())
    }

    /// Whether one of these is a level: what is held now, and not what has happened.
    fn holds_own(&self) -> bool {
        self.moved.iter().any(|(gauge, _)| !gauge.is_of_stage() && gauge.kind == Kind::Level)
    }

    pub(super) fn beside(&self) -> Beside {
        if self.moves(&["sockets"]) {
            if self.moves_own() { Beside::SocketsAndOwn } else { Beside::Sockets }
        } else if self.moves(&["fds"]) {
            Beside::Descriptors
        } else if self.moves(&["threads", "blocking_threads"]) {
            Beside::Threads
        } else if self.holds_own() {
            Beside::Own
        } else if self.moves_own() {
            Beside::OwnSum
        } else {
            Beside::Nothing
        }
    }

    /// The console's groups of tasks that the leak's work left.
    pub(super) fn left(&self) -> Vec<&Group> {
        let Some(run) = self.recording.sides.get(LEAK) else { return Vec::new() };
        let least = run.report.units_done as f64 * PER_UNIT_MIN;
        run.console.groups.iter().filter(|group| group.count as f64 >= least).collect()
    }

    /// Rising, when some of the tasks left are.
    pub(super) fn polls(&self) -> Polls {
        self.left().into_iter().map(Polls::of).max().unwrap_or(Polls::Still)
    }
}

impl Polls {
    pub(super) fn of(group: &Group) -> Self {
        let ticks = group.waits_on.as_deref().is_some_and(|resource| resource.starts_with(TICKS));
        if ticks || group.polls.1 >= RISING_MIN { Self::Rising } else { Self::Still }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Still => "polls stand still",
            Self::Rising => "polls go on rising",
        }
    }
}

/// What a group waits on, without its place and details: those are in the chapter.
pub(super) fn wait(group: &Group) -> String {
    let kind = |words: &str| [" made at ", ",", " ("].iter().fold(words, |words, end| before(words, end)).to_owned();
    match group.waits_on.as_deref().map(kind) {
        Some(kind) => format!("waits on {kind}"),
        None => "wait unseen".to_owned(),
    }
}

fn before<'a>(words: &'a str, end: &str) -> &'a str {
    words.split_once(end).map_or(words, |(before, _)| before)
}

/// Work done rises in leak and fix, and memory in all: neither is a tell-tale.
fn moved(one: &Scenario, recording: &Recording) -> anyhow::Result<Vec<(Gauge, String)>> {
    let [leak, fix] = [recording.run(LEAK)?, recording.run("fix")?].map(|run| &run.report.survivors);
    let in_fix = |name: &String| fix.get(name).copied().unwrap_or_default();
    let telling = leak
        .iter()
        .filter(|(name, left)| *name != tables::MEMORY && **left >= TELLING_MIN)
        .filter(|(name, left)| in_fix(name) < **left / 2.0);
    let mut moved: Vec<_> = telling
        .filter_map(|(name, left)| {
            let gauge = one.statement.gauge(name);
            let by = format!("+{}", in_words(&gauge, *left)?);
            Some((gauge, by))
        })
        .collect();
    moved.sort_by_key(|(gauge, _)| (gauge.name != recording.gauge, gauge::rank(&gauge.name).0));
    Ok(moved)
}
