//! A ledger as plain data.

use std::time::{Duration, SystemTime};

/// What was counted of each spawn line up to one moment: what [`Watch::ledger`](crate::Watch::ledger) gives.
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

impl Ledger {
    /// A ledger without lines, for readings that your own code keeps elsewhere: in a file, or in another process. Fill `lines` with
    /// them.
    pub fn new(begun: SystemTime, taken: SystemTime) -> Self {
        Self { begun, taken, lines: Vec::new() }
    }

    /// The line with this location.
    pub fn line(&self, location: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.location == location)
    }
}

/// Seconds since 1970, in the form of a decimal number with three places, which is exact.
pub(super) fn unix(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
