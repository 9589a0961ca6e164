//! What a running service tells of its tasks: how many each spawn line has spawned, and how many are left.

mod counts;
mod course;
#[cfg(feature = "metrics")]
mod metrics;
mod text;

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

pub(crate) use self::counts::Counts;
use self::counts::{LINES_MAX, Total, place};
#[cfg(all(test, leakcheck_loom))]
pub(crate) use self::counts::{count_alone, count_among_others, read};
pub use self::course::{Convergence, Course, LineCourse};
#[cfg(feature = "metrics")]
pub use self::metrics::TaskCollector;
use crate::{clock, registry::Registry, report::shorten, sites::Site, watch::Watch};

/// The location of the line that stands for all beyond the limit.
const OTHER: &str = "other";

/// What was counted of each spawn line up to one moment: what [`Watch::ledger`] gives.
///
/// Guarantee: at rest, when no task is about to begin or to end, every count is exact, whichever threads spawned. While tasks come
/// and go, each count is one that was right during the call, no count but `alive` and what follows from it ever falls, and no line
/// has more ends than spawns.
///
/// Guarantee: the memory is bounded. The 16,383 lines that spawn first have counters of their own; all others are one line, `other`.
/// Counters take 24 bytes for each line and each of the first 32 threads that spawn at the same time, so 13 MiB at most. They are
/// allocated for 256 lines at once.
///
/// Gap: tasks of a `LocalSet` are in no count, nor are closures of `spawn_blocking`: Tokio reports no spawn of them. With the
/// feature `count-only` a ledger has no line. A task is counted as ended shortly after whoever joined it goes on.
///
/// Cost: one counter at the task's spawn and one at its end, without a lock. A ledger looks at every living task once, some tens of
/// nanoseconds each.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut builder = tokio::runtime::Builder::new_current_thread();
/// let watch = leakcheck::attach(&mut builder).install();
/// let service = builder.build()?;
/// service.block_on(async {
///     for _ in 0..10 {
///         tokio::spawn(async {}).await.unwrap();
///     }
///     tokio::spawn(std::future::pending::<()>());
/// });
/// // From any thread, also inside of another runtime.
/// let ledger = std::thread::spawn(move || watch.ledger()).join().unwrap();
/// let [ten, one] = &ledger.lines[..] else { panic!("{ledger}") };
/// assert_eq!((ten.spawned, ten.ended, ten.alive), (10, 10, 0));
/// assert_eq!((one.spawned, one.ended, one.alive), (1, 0, 1));
/// assert!(one.location.starts_with("src/main.rs:") || one.location.contains(".rs:"));
/// assert!(one.oldest.is_some() && ten.oldest.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ledger {
    /// When the watch was installed. Ledgers with different beginnings are of different watches, or of different processes.
    pub begun: SystemTime,
    /// When this ledger was taken.
    pub taken: SystemTime,
    /// The lines that have spawned a task, by location; then `other`, if there is one.
    pub lines: Vec<Line>,
}

/// What was counted of one spawn line.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// `file:line:column`, where files of other crates begin with the crate's name and version; or `other`.
    pub location: String,
    /// How many tasks were spawned.
    pub spawned: u64,
    /// How many of them have ended, in whatever way.
    pub ended: u64,
    /// How many have not.
    pub alive: u64,
    /// How many of those alive an allowance or [`daemon`](crate::daemon) covers. They are meant to stay, so they are neither in
    /// `older` nor `oldest`.
    pub allowed: u64,
    /// How many ended by a panic, in a poll or in a drop.
    ///
    /// Gap: a task that catches a panic of its own and returns in the same poll is counted too. A task that ends by `resume_unwind`
    /// is not, nor is any once the program has set a panic hook after [`install`](crate::Attach::install) that does not call the one
    /// before.
    pub panicked: u64,
    /// The oldest of those alive.
    pub oldest: Option<Oldest>,
    /// How many of those alive are older than each age that was asked for, from the lowest age to the highest.
    pub older: Vec<Older>,
}

/// The oldest living task of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oldest {
    /// When the task was spawned: exact to 50 ms, and the same instant in each ledger for as long as the task lives, whatever
    /// happens to the system's clock. So two ledgers that name the same instant mean the same task, or one spawned within the
    /// same 50 ms.
    pub birth: SystemTime,
    /// How old the task was when the ledger was taken.
    pub age: Duration,
}

/// How many living tasks are older than an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// The age.
    pub than: Duration,
    /// The tasks older than it.
    pub tasks: u64,
}

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
        Ledger::take(self.registry(), &ages)
    }
}

impl Ledger {
    /// A ledger without lines, for readings that come from elsewhere: another process's metrics page, or a file.
    pub fn new(begun: SystemTime, taken: SystemTime) -> Self {
        Self { begun, taken, lines: Vec::new() }
    }

    /// The line with this location.
    pub fn line(&self, location: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.location == location)
    }

    fn take(registry: &Registry, ages: &[Duration]) -> Self {
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
        let lines =
            lines.into_iter().map(|(position, (total, living))| living.finish(&position, total, ages, taken_ms));
        Self { begun: at(registry.begun_ms()), taken: at(taken_ms), lines: lines.collect() }
    }
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
        let oldest = self
            .oldest_ms
            .map(|birth| Oldest { birth: at(birth), age: Duration::from_millis(taken_ms.saturating_sub(birth)) });
        Line {
            location: position.name(),
            spawned,
            ended,
            alive: spawned - ended,
            allowed: self.allowed,
            panicked,
            oldest,
            older: ages.iter().zip(self.older).map(|(than, tasks)| Older { than: *than, tasks }).collect(),
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

/// Seconds since 1970, in the form of a decimal number with three places, which is exact.
fn unix(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
