//! Whether what is left of each line comes back, or grows with the spawns: the judge for a running service.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    time::{Duration, SystemTime},
};

use super::data::{Ledger, Line};

/// A growth of so many tasks, or of fewer, is no growth. A service has some tasks more or less at every moment.
const GROWTH_MIN: u64 = 10;
/// With so many readings in each third of the window, the readings themselves tell how much a line goes up and down.
const READINGS_ENOUGH: usize = 3;

/// What became of each line between the first and the last of some ledgers of one service: a pure function of them, which needs
/// neither a runtime nor a clock.
///
/// The measure is *left per spawn*: how many tasks more are left at the end than at the beginning, for each task that was spawned
/// in between. It does not depend on the load: twice the requests leave twice the tasks of twice the spawns. A spike comes back to
/// zero, a leak does not. Left are the tasks older than [`age`](Self::age), so what is at work is not counted.
///
/// The lowest count of the last third of the window is compared with the highest of the first third. So a spike of less than a
/// third of the window is never taken for growth, wherever it lies.
///
/// Growth alone is no leak: a queue behind a slow lock grows too. What separates them is the birth of the oldest. In a queue the
/// oldest goes and the next becomes the oldest; of a leak, the oldest is the same one for ever.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use leakcheck::{Convergence, Course, Ledger, Line};
///
/// // Readings come from `Watch::ledger`, or are made of numbers that were kept elsewhere.
/// let begun = SystemTime::UNIX_EPOCH;
/// let reading = |minutes: u64, spawned: u64, alive: u64| {
///     let mut ledger = Ledger::new(begun, begun + Duration::from_secs(60 * minutes));
///     let mut line = Line::default();
///     line.location = "src/session.rs:17:5".to_owned();
///     (line.spawned, line.ended, line.alive) = (spawned, spawned - alive, alive);
///     ledger.lines.push(line);
///     ledger
/// };
/// let judged = reading(20, 9_000, 305).since(&reading(10, 6_000, 5));
/// assert_eq!(judged.lines[0].per_spawn, 0.1);
/// // The readings name no oldest task, so growth is all that can be said.
/// assert_eq!(judged.lines[0].course, Course::Grows);
/// ```
///
/// # What it cannot tell
///
/// - A warm-up is a leak until it stops: six hundred daemons that a cache starts are tasks that stay. The next window says
///   `Returns`. Mark daemons with [`daemon`](crate::daemon), or begin the window after the warm-up.
/// - The first sessions of a line whose sessions last longer than half of the window look the same. The window must be three
///   times as long as the longest task that is meant to end.
/// - A line with a task that stays, *and* a queue that grows, looks like a leak: the one that stays is the oldest. Marked as a
///   daemon, it is not counted.
/// - Where the last come first, as in a stack of waiters, the oldest stands still though the queue moves.
/// - A leak of fewer tasks than [`at_most`](LineCourse::at_most) says.
/// - A leak inside of one task, such as a `FuturesUnordered` that only grows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Convergence {
    /// From the first reading that counts to the last.
    pub window: Duration,
    /// The age from which on a task counts as left: the highest that all readings have and that is not more than half of the window.
    /// Zero if there is none; then every living task counts.
    pub age: Duration,
    /// Whether the readings are of several watches, or counters fell: the service was restarted. Only the readings after that count.
    pub restarted: bool,
    /// The lines of the last reading: leaks first, then those that grow, most left first.
    pub lines: Vec<LineCourse>,
}

/// What became of one line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LineCourse {
    /// The line, as in [`Line::location`].
    pub location: String,
    /// What the line does.
    pub course: Course,
    /// Tasks that were spawned in the window.
    pub spawned: u64,
    /// Those of them that could be left at the end and not at the beginning: what [`per_spawn`](Self::per_spawn) is divided by. A task
    /// that is younger than [`age`](Convergence::age) at the end is none of them. It is counted between the two readings that are
    /// compared, which are some way inside the window.
    pub could_be_left: u64,
    /// How many tasks more are left than before; negative if there are fewer.
    pub left: i64,
    /// How many tasks more are left for each that could be: 0 where all come back, 1 where every one stays. Less than that for a
    /// line whose leak began within the window, or that spawned faster at its end than at its beginning.
    pub per_spawn: f64,
    /// A leak that leaves fewer tasks than this for each spawn would not have shown in these readings.
    pub at_most: f64,
    /// How far the birth of the oldest moved in the second half of the window, in seconds for each second: 1 where the
    /// oldest is always equally young, 0 where it is the same task. `None` if there was none at one of the ends.
    pub oldest_moves: Option<f64>,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Course {
    /// What is left grows, and the oldest is the same task all the time.
    Leaks,
    /// What is left grows, and the readings do not tell whether the oldest stays. Another reading does.
    Grows,
    /// What is left grows, and the oldest goes all the same: more is spawned than before, or the service is too slow.
    FallsBehind,
    /// What is left does not grow, or not by more than [`at_most`](LineCourse::at_most) for each spawn. A rarer leak needs a longer
    /// window.
    Returns,
    /// So little was spawned that not even a leak at every second spawn would have shown: fewer than twenty tasks, and with few
    /// readings rather more.
    TooLittle,
}

impl Ledger {
    /// What became of each line since an earlier ledger: [`Convergence::of`] the two.
    ///
    /// Two readings tell less than ten: a line that was at a high point by chance is told from one that grows only by how many
    /// tasks of it ended meanwhile.
    pub fn since(&self, earlier: &Self) -> Convergence {
        Convergence::of(&[earlier, self])
    }
}

impl Convergence {
    /// Judges readings of one service, from the earliest to the latest.
    ///
    /// Guarantee: the same readings give the same verdict, and one reading, or none, gives no line. Readings out of order are not put
    /// in order: a counter that falls is a restart.
    pub fn of(readings: &[&Ledger]) -> Self {
        let readings = Readings::of(readings);
        let mut lines: Vec<_> = readings.lines().iter().map(|line| readings.judge(line)).collect();
        lines.sort_by(|a, b| a.course.cmp(&b.course).then(b.left.cmp(&a.left)));
        Self { window: readings.window, age: readings.age, restarted: readings.restarted, lines }
    }

    /// The lines that leak.
    pub fn leaks(&self) -> impl Iterator<Item = &LineCourse> {
        self.lines.iter().filter(|line| line.course == Course::Leaks)
    }
}

/// The readings since the last restart, and what follows from all of them.
struct Readings<'a> {
    ledgers: Vec<Indexed<'a>>,
    window: Duration,
    age: Duration,
    restarted: bool,
}

/// A ledger whose lines are found by their location.
struct Indexed<'a> {
    begun: SystemTime,
    taken: SystemTime,
    lines: BTreeMap<&'a str, &'a Line>,
}

impl<'a> Indexed<'a> {
    fn of(ledger: &'a Ledger) -> Self {
        let lines = ledger.lines.iter().map(|line| (&*line.location, line)).collect();
        Self { begun: ledger.begun, taken: ledger.taken, lines }
    }

    /// Whether this reading is of another watch than the one before, or goes on from zero.
    fn is_restart_of(&self, earlier: &Self) -> bool {
        let fell = |line: &&Line| {
            let now = self.lines.get(&*line.location);
            now.is_none_or(|now| now.spawned < line.spawned || now.ended < line.ended)
        };
        self.begun != earlier.begun || self.taken < earlier.taken || earlier.lines.values().any(fell)
    }
}

impl<'a> Readings<'a> {
    fn of(all: &[&'a Ledger]) -> Self {
        let mut ledgers: Vec<_> = all.iter().map(|ledger| Indexed::of(ledger)).collect();
        let begins = ledgers.windows(2).rposition(|pair| pair[1].is_restart_of(&pair[0])).map_or(0, |last| last + 1);
        ledgers.drain(..begins);
        let window = match &ledgers[..] {
            [first, .., last] => last.taken.duration_since(first.taken).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        // An age that some line does not have is no age for all.
        let everywhere = |than: &Duration| {
            let mut lines = ledgers.iter().flat_map(|ledger| ledger.lines.values());
            *than * 2 <= window && lines.all(|line| line.older.iter().any(|older| older.than == *than))
        };
        let last = ledgers.last().and_then(|ledger| ledger.lines.values().next());
        let ages = last.into_iter().flat_map(|line| &line.older).map(|older| older.than);
        let age = ages.filter(everywhere).max().unwrap_or_default();
        Self { age, ledgers, window, restarted: begins > 0 }
    }

    /// The lines to judge; none without two readings.
    fn lines(&self) -> Vec<&'a str> {
        match &self.ledgers[..] {
            [_, .., last] => last.lines.keys().copied().collect(),
            _ => Vec::new(),
        }
    }

    fn judge(&self, location: &str) -> LineCourse {
        let points: Vec<_> = self.ledgers.iter().map(|ledger| self.point(ledger, location)).collect();
        let (first, last) = (points[0], points[points.len() - 1]);
        let third = self.window / 3;
        let early: Vec<_> = points.iter().filter(|point| point.taken <= first.taken + third).collect();
        let late: Vec<_> = points.iter().filter(|point| point.taken + third >= last.taken).collect();
        // Of equal ones the last and the first, so that the spawns between the two are those that left the difference.
        let high = early.iter().max_by_key(|point| point.left).map_or(first, |point| **point);
        let low = late.iter().min_by_key(|point| point.left).map_or(last, |point| **point);
        let between = self.spawned_between(&points, &high, &low);
        // Tasks that were spawned before, and only came of age, are none of these spawns.
        let left = (low.left as i64 - high.left as i64).min(between as i64);
        let noise = if early.len().min(late.len()) >= READINGS_ENOUGH {
            GROWTH_MIN
        } else {
            GROWTH_MIN + fluctuation(high.left + low.left, low.ended.saturating_sub(high.ended))
        };
        let per = |tasks: f64| if between == 0 { 0.0 } else { tasks / between as f64 };
        let at_most = if between == 0 { 1.0 } else { per(noise as f64).min(1.0) };
        let oldest = self.oldest(&points);
        let course = if left > noise as i64 {
            match oldest {
                None => Course::Grows,
                Some(Moved { same: true, .. }) => Course::Leaks,
                Some(_) => Course::FallsBehind,
            }
        } else if at_most > 0.5 {
            Course::TooLittle
        } else {
            Course::Returns
        };
        let spawned = last.spawned.saturating_sub(first.spawned);
        let (per_spawn, oldest_moves) = (per(left as f64), oldest.map(|moved| moved.per_second));
        let (location, could_be_left) = (location.to_owned(), between);
        LineCourse { location, course, spawned, could_be_left, left, per_spawn, at_most, oldest_moves }
    }

    /// How many tasks were spawned that could be left at the one reading and not at the other: those that came of age in between.
    /// Where the readings do not reach back so far, as many as were spawned in between; at an even load that is the same.
    fn spawned_between(&self, points: &[Point], from: &Point, to: &Point) -> u64 {
        let first = &points[0];
        let known = first.spawned == 0 || from.taken >= first.taken + self.age;
        if !known {
            return to.spawned.saturating_sub(from.spawned);
        }
        let spawned = |point: &Point| point.taken.checked_sub(self.age).map_or(0.0, |at| spawned_at(points, at));
        (spawned(to) - spawned(from)).round() as u64
    }

    fn point(&self, ledger: &Indexed<'_>, location: &str) -> Point {
        let taken = ledger.taken;
        let Some(line) = ledger.lines.get(location) else { return Point { taken, ..Point::BEFORE } };
        let old = line.older.iter().find(|older| !self.age.is_zero() && older.than == self.age);
        let left = old.map_or(line.alive.saturating_sub(line.allowed), |older| older.tasks);
        let oldest = line.oldest.map(|oldest| oldest.birth);
        Point { taken, spawned: line.spawned, ended: line.ended, left, oldest }
    }

    /// How the birth of the oldest moved in the second half of the window.
    fn oldest(&self, points: &[Point]) -> Option<Moved> {
        let last = points.last()?;
        let mut before = points.iter().rev().skip(1);
        let half = before.find(|point| point.taken + self.window / 2 <= last.taken)?;
        let (from, to) = (half.oldest?, last.oldest?);
        let moved = to.duration_since(from).unwrap_or_default();
        let passed = last.taken.duration_since(half.taken).unwrap_or_default();
        Some(Moved { same: from == to, per_second: moved.as_secs_f64() / passed.as_secs_f64().max(f64::MIN_POSITIVE) })
    }
}

/// One line in one reading.
#[derive(Clone, Copy)]
struct Point {
    taken: SystemTime,
    spawned: u64,
    ended: u64,
    left: u64,
    oldest: Option<SystemTime>,
}

impl Point {
    /// A line that has spawned nothing yet.
    const BEFORE: Self = Self { taken: SystemTime::UNIX_EPOCH, spawned: 0, ended: 0, left: 0, oldest: None };
}

/// How many tasks had been spawned at a moment, if they came evenly between two readings.
fn spawned_at(points: &[Point], at: SystemTime) -> f64 {
    let after = points.partition_point(|point| point.taken <= at);
    let (Some(before), Some(after)) = (after.checked_sub(1).map(|before| points[before]), points.get(after)) else {
        return points[if after == 0 { 0 } else { points.len() - 1 }].spawned as f64;
    };
    let seconds = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap_or_default().as_secs_f64();
    let part = seconds(before.taken, at) / seconds(before.taken, after.taken).max(f64::MIN_POSITIVE);
    part.mul_add(after.spawned.saturating_sub(before.spawned) as f64, before.spawned as f64)
}

#[derive(Clone, Copy)]
struct Moved {
    same: bool,
    per_second: f64,
}

/// By how many tasks two counts may differ by chance, in all but one of a thousand times. Tasks that come and go at random scatter by
/// the root of their number. A count can only scatter by tasks that end.
fn fluctuation(tasks: u64, ended: u64) -> u64 {
    (3.0 * (tasks.min(ended) as f64).sqrt()).ceil() as u64
}

impl Display for Convergence {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.restarted {
            writeln!(f, "the service was restarted between the readings: only those after it count")?;
        }
        if self.lines.is_empty() {
            return writeln!(f, "nothing to compare: it takes two readings of one service");
        }
        let (window, age) = (self.window.as_secs_f64(), self.age.as_secs_f64());
        let which = if self.age.is_zero() { "all tasks".to_owned() } else { format!("tasks older than {age} s") };
        writeln!(f, "within {window:.0} s, {which}:")?;
        // Of a line that spawns rarely, what is left is all there is to see.
        let (folded, shown): (Vec<_>, Vec<_>) =
            self.lines.iter().partition(|line| line.course == Course::TooLittle && line.left <= 0);
        shown.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        match folded.len() {
            0 => Ok(()),
            1 => writeln!(f, "  1 line spawned too little to say"),
            lines => writeln!(f, "  {lines} lines spawned too little to say"),
        }
    }
}

impl Display for LineCourse {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { location, course, spawned, could_be_left, left, per_spawn, at_most, .. } = self;
        let moves = self.oldest_moves.unwrap_or_default();
        let more = format_args!("{per_spawn:.3} left per spawn ({left} of {could_be_left})");
        match course {
            Course::Leaks => write!(f, "{location} leaks: {more}, and the oldest is still the same"),
            Course::Grows => write!(f, "{location} grows: {more}; another reading tells whether the oldest goes"),
            Course::FallsBehind => {
                write!(f, "{location} falls behind: {more}, but the oldest goes ({moves:.2} s of birth in a second)")
            }
            Course::Returns => write!(f, "{location} returns: below {at_most:.3} left per spawn ({spawned} spawned)"),
            Course::TooLittle if *left > 0 => {
                write!(f, "{location}: {left} more left of {could_be_left} that could be, too little to say")
            }
            Course::TooLittle => write!(f, "{location}: {spawned} spawned, too little to say"),
        }
    }
}
