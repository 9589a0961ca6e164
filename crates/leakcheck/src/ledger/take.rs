//! Takes a ledger of a registry.

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use super::{
    counts::{LINES_MAX, Total, place},
    data::{Ledger, Line, Older, Oldest},
};
use crate::{clock, registry::Registry, report::shorten, sites::Site, watch::Watch};

/// The location of the line that stands for all beyond the limit.
const OTHER: &str = "other";

impl Watch {
    /// The ages of [`ledger`](Self::ledger): one second, ten seconds, a minute and ten minutes.
    pub const AGES: [Duration; 4] =
        [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(600)];

    /// What every spawn line has spawned since the watch was installed, and what is left, without waiting. Any thread may call this,
    /// also one of another runtime, and after the runtime is gone.
    pub fn ledger(&self) -> Ledger {
        self.ledger_of_ages(&Self::AGES)
    }

    /// As [`ledger`](Self::ledger), with other ages for [`Line::older`].
    pub fn ledger_of_ages(&self, ages: &[Duration]) -> Ledger {
        let mut ages = ages.to_vec();
        ages.sort_unstable();
        ages.dedup();
        take(self.registry(), &ages)
    }
}

fn take(registry: &Registry, ages: &[Duration]) -> Ledger {
    let taken_ms = clock::now_ms();
    let (counts, sites) = registry.counts();
    let mut living = vec![Living::default(); LINES_MAX.min(sites.len() + 1)];
    registry.for_each(|task| {
        // A line whose first task was spawned during the call is in the next ledger.
        if let Some(living) = living.get_mut(place(task.index)) {
            living.add(task.spawned_ms, taken_ms, task.allowance != 0, ages);
        }
    });
    let mut lines = BTreeMap::<_, (Total, Living)>::new();
    for (line, (total, living)) in counts.totals(sites.len()).into_iter().zip(living).enumerate() {
        if total.spawned > 0 {
            // The compiler may have made several locations of one line.
            let (known, ages) = lines.entry(Position::of(line, &sites)).or_default();
            known.add(total);
            ages.merge(&living);
        }
    }
    let lines = lines.into_iter().map(|(position, (total, living))| living.finish(&position, total, ages, taken_ms));
    Ledger { begun: at(registry.begun_ms()), taken: at(taken_ms), lines: lines.collect() }
}

/// File, line and column; `Other` comes last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Position {
    Line(&'static str, u32, u32),
    Other,
}

impl Position {
    fn of(line: usize, sites: &[Site]) -> Self {
        let site = line.checked_sub(1).and_then(|line| sites.get(line));
        site.map_or(Self::Other, |site| Self::Line(site.file(), site.line(), site.column()))
    }

    fn name(&self) -> String {
        match self {
            Self::Line(file, line, column) => format!("{}:{line}:{column}", shorten(file)),
            Self::Other => OTHER.to_owned(),
        }
    }
}

impl Total {
    fn add(&mut self, other: Self) {
        self.spawned += other.spawned;
        self.ended += other.ended;
        self.panicked += other.panicked;
    }
}

/// The living tasks of one line while they are looked at.
#[derive(Clone, Default)]
struct Living {
    allowed: u64,
    oldest_ms: Option<u64>,
    /// One for each age.
    older: Vec<u64>,
}

impl Living {
    fn add(&mut self, spawned_ms: u64, taken_ms: u64, allowed: bool, ages: &[Duration]) {
        if allowed {
            self.allowed += 1;
            return;
        }
        self.oldest_ms = Some(self.oldest_ms.map_or(spawned_ms, |oldest| oldest.min(spawned_ms)));
        let age = Duration::from_millis(taken_ms.saturating_sub(spawned_ms));
        let reached = ages.partition_point(|than| *than < age);
        self.older.resize(ages.len(), 0);
        self.older[..reached].iter_mut().for_each(|tasks| *tasks += 1);
    }

    fn merge(&mut self, other: &Self) {
        self.allowed += other.allowed;
        self.oldest_ms = [self.oldest_ms, other.oldest_ms].into_iter().flatten().min();
        self.older.resize(self.older.len().max(other.older.len()), 0);
        self.older.iter_mut().zip(&other.older).for_each(|(own, other)| *own += other);
    }

    fn finish(mut self, position: &Position, total: Total, ages: &[Duration], taken_ms: u64) -> Line {
        let Total { spawned, ended, panicked } = total;
        self.older.resize(ages.len(), 0);
        // The tasks were looked at before the ends were counted, so some of them may have ended since.
        let alive = spawned - ended;
        let oldest = self.oldest_ms.filter(|_| alive > 0);
        let oldest =
            oldest.map(|birth| Oldest { birth: at(birth), age: Duration::from_millis(taken_ms.saturating_sub(birth)) });
        Line {
            location: position.name(),
            spawned,
            ended,
            alive,
            allowed: self.allowed.min(alive),
            panicked,
            oldest,
            older: ages
                .iter()
                .zip(self.older)
                .map(|(than, tasks)| Older { than: *than, tasks: tasks.min(alive) })
                .collect(),
        }
    }
}

/// The instant at which the process clock showed this number. The clock's zero is asked for once, so that an instant stays what it
/// is when the system's clock is set.
fn at(ms: u64) -> SystemTime {
    static ZERO: LazyLock<SystemTime> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Whole milliseconds, as all that is counted from here.
        SystemTime::UNIX_EPOCH + Duration::from_millis((since.as_millis() as u64).saturating_sub(clock::now_ms()))
    });
    *ZERO + Duration::from_millis(ms)
}
