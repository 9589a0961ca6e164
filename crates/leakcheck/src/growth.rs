//! Whether what is left grows with the work, or is there once.

use std::{collections::BTreeMap, fmt};

use crate::{
    checker::Checker,
    overdue::Overdue,
    report::{Body, Report},
    suite::Suite,
};

/// How many times more operations the second run has.
const FACTOR: u64 = 4;
/// A smaller trend, in tasks for each operation, counts as noise of the background. So a leak in one of 20 operations is seen.
const PER_OPERATION_MIN: f64 = 0.05;

/// Runs an operation n times and 4n times, each on a checked runtime of its own, and compares what is left.
///
/// Guarantee: a background that is there once, such as a connection pool's keeper, is told from a leak that each operation
/// adds to. Gap: a pool that still fills between n and 4n looks like a leak; choose n beyond its size. Rival: an assertion that
/// nothing at all is left, which a program with any background fails.
///
/// ```
/// use tokio::sync::mpsc;
///
/// let found = leakcheck::Growth::of(5).find(|operations| async move {
///     // One task, however many operations there are.
///     tokio::spawn(std::future::pending::<()>());
///     let mut unread = Vec::new();
///     for _ in 0..operations {
///         let (send, receive) = mpsc::channel(1);
///         tokio::spawn(async move { while send.send(()).await.is_ok() {} });
///         unread.push(receive);
///     }
///     // What is returned lives until the verdict.
///     unread
/// });
/// assert_eq!(found.trend.per_operation, 1.0);
/// assert_eq!(found.trend.background, 1.0);
/// assert!(found.is_leak());
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs before `find` or `assert`"]
pub struct Growth {
    operations: u64,
    checker: Checker,
}

impl Growth {
    /// n and 4n operations, on a `current_thread` runtime.
    ///
    /// # Panics
    ///
    /// If `operations` is 0.
    #[track_caller]
    pub fn of(operations: u64) -> Self {
        assert!(operations > 0, "growth needs operations to grow with: say of(10)");
        Self { operations, checker: Checker::current_thread() }
    }

    /// Uses this checker: its runtime, limits and allowances.
    pub fn on(mut self, checker: Checker) -> Self {
        self.checker = checker;
        self
    }

    /// Runs the body twice. The body does as many operations as it is told, and returns what must live until the verdict.
    ///
    /// # Panics
    ///
    /// As [`Checker::find`] does, and with the body's own panic. A body that is overdue counts as a leak, and the text says
    /// that it is not known to be one.
    #[track_caller]
    pub fn find<F, T>(self, body: impl Fn(u64) -> F + Clone + Send + 'static) -> Found
    where
        F: Future<Output = T>,
        T: Send + 'static,
    {
        let (few, many) = (self.operations, self.operations * FACTOR);
        let run = |operations| {
            let body = body.clone();
            self.checker.clone().report_of(move || body(operations))
        };
        Found::new((few, run(few)), (many, run(many)))
    }

    /// As [`find`](Self::find).
    ///
    /// # Panics
    ///
    /// With both counts and the survivors by spawn line, if they grow with the operations. Where the environment says
    /// `LEAKCHECK=report`, that is a note.
    #[track_caller]
    pub fn assert<F, T>(self, body: impl Fn(u64) -> F + Clone + Send + 'static)
    where
        F: Future<Output = T>,
        T: Send + 'static,
    {
        let suite = Suite::current();
        let found = self.find(body);
        if suite.only_reports() && found.is_leak() {
            return eprint!("note: LEAKCHECK=report, or this would fail: {found}");
        }
        assert!(!found.is_leak(), "{found}");
    }
}

/// A straight line through two counts.
///
/// Counts of other things than tasks have a trend too: sockets, for example, or file descriptors.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trend {
    /// What each operation adds.
    pub per_operation: f64,
    /// What is there without any operation.
    pub background: f64,
}

impl Trend {
    /// The line through two points, each of them `(operations, left)`.
    ///
    /// # Panics
    ///
    /// If both have the same number of operations.
    #[track_caller]
    pub fn through(few: (u64, f64), many: (u64, f64)) -> Self {
        assert_ne!(few.0, many.0, "a trend needs two different numbers of operations");
        let per_operation = (many.1 - few.1) / (many.0 as f64 - few.0 as f64);
        Self { per_operation, background: few.1 - per_operation * few.0 as f64 }
    }

    /// Whether one of twenty operations or more leaves something.
    pub fn is_leak(&self) -> bool {
        self.per_operation >= PER_OPERATION_MIN
    }
}

/// What two runs left.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// The number of operations of the short run, and what they left.
    pub few: (u64, Report),
    /// The number of operations of the long run, and what they left.
    pub many: (u64, Report),
    /// The trend of tasks and blocking closures together.
    pub trend: Trend,
    /// The trend of each spawn line, as `file:line:column`; blocking closures have no line.
    pub lines: Vec<(String, Trend)>,
}

impl Found {
    fn new(few: (u64, Report), many: (u64, Report)) -> Self {
        let left = |(operations, report): &(u64, Report)| (*operations, (report.tasks() + report.blocking) as f64);
        let mut lines = BTreeMap::<String, (usize, usize)>::new();
        few.1.survivors.iter().for_each(|group| lines.entry(group.location()).or_default().0 = group.count);
        many.1.survivors.iter().for_each(|group| lines.entry(group.location()).or_default().1 = group.count);
        let through = |(a, b): (usize, usize)| Trend::through((few.0, a as f64), (many.0, b as f64));
        let lines = lines.into_iter().map(|(line, counts)| (line, through(counts))).collect();
        Self { trend: Trend::through(left(&few), left(&many)), lines, few, many }
    }

    /// Whether what is left grows with the operations, at any one spawn line or in sum. So that no hang passes, also if a body
    /// had not returned by the deadline: then nothing is known of what grows.
    pub fn is_leak(&self) -> bool {
        self.overdue().is_some() || self.trend.is_leak() || self.lines.iter().any(|(_, trend)| trend.is_leak())
    }

    /// The first run whose body had not returned by the deadline.
    fn overdue(&self) -> Option<(u64, Overdue)> {
        [&self.few, &self.many].into_iter().find_map(|(operations, report)| match report.body {
            Body::Overdue(overdue) => Some((*operations, overdue)),
            _ => None,
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((operations, overdue)) = self.overdue() {
            return write!(f, "overdue, with {operations} operations: {}\n  {overdue}\n", overdue.head());
        }
        let Trend { per_operation, background } = self.trend;
        let left = |report: &Report| report.tasks() + report.blocking;
        let (few, many) = (left(&self.few.1), left(&self.many.1));
        let what = if self.is_leak() { "leak" } else { "no leak" };
        let (n, m) = (self.few.0, self.many.0);
        let operations = if n == 1 { "operation" } else { "operations" };
        writeln!(f, "{what}: {few} left after {n} {operations}, {many} after {m}")?;
        writeln!(f, "  {per_operation:.2} for each operation, {background:.0} there once")?;
        for (line, trend) in self.lines.iter().filter(|(_, trend)| trend.is_leak()) {
            writeln!(f, "  {:.2} for each operation spawned at {line}", trend.per_operation)?;
        }
        for (line, trend) in self.lines.iter().filter(|(_, trend)| !trend.is_leak()) {
            writeln!(f, "  {:.0} there once spawned at {line}", trend.background)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(few: (u64, f64), many: (u64, f64), per_operation: f64, background: f64, leak: bool) {
        let trend = Trend::through(few, many);
        assert_eq!(trend, Trend { per_operation, background });
        assert_eq!(trend.is_leak(), leak, "{trend:?}");
    }

    #[test]
    fn a_background_is_told_from_a_leak() {
        check((10, 0.0), (40, 0.0), 0.0, 0.0, false);
        check((10, 3.0), (40, 3.0), 0.0, 3.0, false);
        check((10, 10.0), (40, 40.0), 1.0, 0.0, true);
        check((10, 63.0), (40, 243.0), 6.0, 3.0, true);
    }

    #[test]
    fn one_task_more_in_many_operations_is_no_leak() {
        check((20, 3.0), (80, 4.0), 1.0 / 60.0, 3.0 - 1.0 / 3.0, false);
    }

    #[test]
    fn one_operation_is_no_plural() {
        let left = |tasks| Report { unnamed: tasks, ..Report::default() };
        let found = Found::new((1, left(1)), (4, left(4)));
        assert!(found.to_string().starts_with("leak: 1 left after 1 operation, 4 after 4\n"), "{found}");
        let found = Found::new((2, left(2)), (8, left(8)));
        assert!(found.to_string().starts_with("leak: 2 left after 2 operations, 8 after 8\n"), "{found}");
    }

    #[test]
    fn a_count_that_shrinks_is_no_leak() {
        check((10, 40.0), (40, 10.0), -1.0, 50.0, false);
    }
}
