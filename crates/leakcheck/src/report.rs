//! What a check found, as plain data. `tally` fills it in, `text` prints it.

use std::{any::Any, time::Duration};

use crate::overdue::Overdue;

/// What a check found: structured data first, [`Display`](std::fmt::Display) on top, [`to_json`](Self::to_json) for machines.
///
/// Guarantee: the same leak gives the same text, in the same order; ten thousand equal tasks are one line with a count. Gap:
/// ages depend on the machine, so the text rounds them down to whole seconds; the field is exact to 50 ms.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// How the body of the test ended.
    pub body: Body,
    /// The tasks that were left, by spawn location, most tasks first.
    pub survivors: Vec<Survivors>,
    /// Threads of the blocking pool that are still busy: with closures of `spawn_blocking`, or in the place of a worker
    /// that is in `block_in_place`. Tokio does not tell where either was called.
    pub blocking: usize,
    /// Tasks left that have no name: all of them with the feature `count-only`, none otherwise.
    pub unnamed: usize,
    /// What each allowance covered, in the order in which the allowances were given; then the daemons marked at their spawn.
    pub allowed: Vec<Allowed>,
    /// How long the verdict waited, and for what; `None` if nothing was left, or nothing was waited for.
    pub waited: Option<Waited>,
    /// How many of the parked tasks are queued, beside those that [`Survivors::starved`] counts: it is not known which.
    pub queued: usize,
    /// How long no timer of the runtime fires, counted from the verdict, if one is pending; rounded down, by up to 4 s for a
    /// timer that is minutes away and by minutes for one that is hours away, as Tokio sorts its timers. `None` also where no
    /// task is parked or waits for a timer, and where it cannot be told: on other systems than Linux, and while the threads
    /// work.
    pub next_timer: Option<Duration>,
    /// The lines that an overdue body awaits, as `file:line:column`. Empty without a task dump.
    pub body_awaits: Vec<String>,
    /// Tasks that panicked, of the latest 64 kinds. Whether somebody joined such a task cannot be told: see [`Panicked`].
    pub panics: Vec<Panicked>,
    /// Child processes that the threads of the runtime started and that run, after the body of a
    /// [`Checker`](crate::Checker); on Linux only. See [`Child`].
    pub children: Vec<Child>,
    /// Why there are no await lines, if await lines were asked for and there are none.
    pub no_await_lines: Option<String>,
}

/// How long a verdict waited for tasks that did not end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// Wall time.
    pub wall: Duration,
    /// The limit of wall time that was reached; zero where virtual time alone decided.
    pub limit: Duration,
    /// How far the runtime's clock was moved.
    pub virtual_time: Duration,
    /// Whether threads of the runtime worked, or timers were pending, when the limit was reached.
    pub active: bool,
    /// What outside of the runtime might still have acted when the limit was reached.
    pub outside: Vec<String>,
}

/// How the checked body ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// The body returned. A check inside a running program has no body, and says this too.
    #[default]
    Returned,
    /// The body panicked.
    Panicked,
    /// The body had not returned by the deadline. The check fails, though a limit is no leak: what the report counts is what
    /// was alive at the deadline, and the body may need it.
    Overdue(Overdue),
}

/// Why a body returned nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The body panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
    /// The body had not returned by the deadline.
    Overdue,
}

/// The tasks left that were spawned at one location.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Survivors {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// How many tasks; the sum of the next six.
    pub count: usize,
    /// Tasks that were polled once at most while the checker waited, and of which no more is known: what such a task waits
    /// for did not come meanwhile. [`Report::next_timer`] and [`Report::queued`] say what else it may be.
    pub parked: usize,
    /// Tasks that wait for a timer: the only ones that a pending timer can belong to, or woken while the checker let
    /// virtual time pass, by a timer or by a task that a timer woke. A ticker that was woken several times is live.
    pub timer: usize,
    /// Tasks that were polled again and again and did not end: tickers, retries, busy loops that yield.
    pub live: usize,
    /// Tasks inside one and the same poll from the first look to the last. Such a task blocks its thread.
    pub never_yields: usize,
    /// Tasks that could run and were not polled: they never were, or all that are not polled are queued. Somebody keeps
    /// their thread (the body, or a task that never yields), or many others have their turn first. Gap: on a `multi_thread`
    /// runtime, the task that a task woke last before it never yielded again is queued where Tokio does not count it, and parked.
    pub starved: usize,
    /// Tasks of a report that was made without a wait, by [`Watch::report`](crate::Watch::report): one look tells no state.
    pub unknown: usize,
    /// Wall time since the oldest was spawned, exact to 50 ms.
    pub oldest: Duration,
    /// The spawn locations of the tasks that spawned the survivors, and how many survivors each location's tasks spawned.
    pub parents: Vec<Parent>,
    /// Who called the spawns, by the backtraces that the environment variable `LEAKCHECK_BACKTRACE=1` asks for; empty without.
    pub callers: Vec<Caller>,
    /// The lines that the survivors await, and how many wait at each. Empty without a task dump.
    pub awaits: Vec<Await>,
}

/// Who spawned some of the survivors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parent {
    /// Where the spawning task was itself spawned, as `file:line:column`; `None` for the body, for `block_on` and for other
    /// threads.
    pub location: Option<String>,
    /// How many of the survivors that task, or tasks from that location, spawned.
    pub count: usize,
}

/// Who called the spawns of some survivors: with `LEAKCHECK_BACKTRACE=1` in the environment, for the first 100 survivors of a
/// spawn line.
///
/// Guarantee: the line is the innermost frame of the spawn's backtrace that lies outside of dependencies and the standard
/// library. Gap: a task that a dependency's own task spawned has no such frame; its [`Parent`] is named. A call that the compiler
/// inlined or built without line tables has no line; `debug = "line-tables-only"` in the profile is enough. A backtrace costs
/// the spawn some microseconds, and the task some kilobytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// For what a dependency spawned: the innermost line of your own code, as `file:line:column`.
    pub location: Option<String>,
    /// Whether the task was spawned while a `OnceLock`, `LazyLock`, `OnceCell` or `lazy_static` was initialised. If that is a
    /// static, the task belongs to the process, and the test that came first is blamed for it.
    pub in_lazy: bool,
    /// How many of the survivors.
    pub count: usize,
}

/// A line that some of the survivors await.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Await {
    /// `file:line:column`, from the task dump.
    pub location: String,
    /// How many of the survivors wait there.
    pub count: usize,
}

/// What one allowance covered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// The allowance as it was written, or `daemon` and its name.
    pub allowance: String,
    /// How many of the tasks alive at the time of the report the allowance covered.
    pub tasks: usize,
    /// Whether the allowance was given to the checker; if not, `daemon` marked the spawn.
    pub given: bool,
    /// How many more tasks there were than the allowance's number: these are among the survivors.
    pub surplus: usize,
}

/// Tasks of one spawn line that panicked at one place.
///
/// Guarantee: a panic that ends a task or a closure of `spawn_blocking` is counted, and it is no leak: a report with panics may
/// be clean.
///
/// ```
/// let found = leakcheck::Checker::current_thread().find(|| async {
///     tokio::spawn(async { panic!("no such user") });
/// });
/// assert!(found.report.is_clean());
/// assert_eq!((found.report.panics[0].count, &*found.report.panics[0].message), (1, "no such user"));
/// ```
///
/// Gap: Tokio 1.54 tells nobody whether a task is joined, so a panic that somebody joined and dealt with is here too, as is
/// one that the task itself caught in the very poll in which it ended. Not here are panics raised with `resume_unwind`, which
/// call no panic hook, and all panics after somebody has set a panic hook that does not call the hook before it. Rival:
/// `#[tokio::test]` prints the panic and passes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panicked {
    /// Where the tasks were spawned, as `file:line:column`.
    pub spawned_at: String,
    /// Where they panicked, as `file:line:column`.
    pub panicked_at: Option<String>,
    /// What the first of them said.
    pub message: String,
    /// How many tasks.
    pub count: usize,
}

/// A child process that still runs.
///
/// Guarantee: the process was started by a thread of the test's own runtime: other tests that run at the same time have other
/// threads. Gap: a child that a plain thread started is not seen, nor one whose thread has ended, nor a grandchild; and other
/// systems than Linux do not tell. Rival: nextest says that a test left something that holds its output open, and not what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Child {
    /// The system's number of the process.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

impl Report {
    /// Whether nothing was left that is not allowed, and the body came to an end.
    pub fn is_clean(&self) -> bool {
        self.tasks() == 0 && self.blocking == 0 && !matches!(self.body, Body::Overdue(_))
    }

    /// How many tasks were left, without those that are allowed.
    pub fn tasks(&self) -> usize {
        self.unnamed + self.survivors.iter().map(|group| group.count).sum::<usize>()
    }

    /// What is no leak: panics and children. Those that fail a test come back as its failure, the others are notes.
    pub(crate) fn beside_leaks(&self, fail_on_panic: bool, fail_on_children: bool) -> Result<(), String> {
        let mut failure = String::new();
        let mut sort = |fails: bool, what: &str, lines: Vec<String>| {
            if fails && !lines.is_empty() {
                failure += &format!("{what}:\n  {}\n", lines.join("\n  "));
            } else {
                lines.iter().for_each(|line| eprintln!("note: {line}"));
            }
        };
        sort(fail_on_panic, "panic in a task", self.panics.iter().map(Panicked::to_string).collect());
        sort(fail_on_children, "child process left", self.children.iter().map(Child::to_string).collect());
        if failure.is_empty() { Ok(()) } else { Err(failure) }
    }

    /// The allowances given to the checker that covered nothing. The reason for such an allowance may be gone.
    pub fn unused_allowances(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().filter(|allowed| allowed.given && allowed.tasks == 0).map(|allowed| &*allowed.allowance)
    }
}

impl Survivors {
    /// `file:line:column`; files of other crates begin with the crate's name and version.
    pub fn location(&self) -> String {
        format!("{}:{}:{}", shorten(&self.file), self.line, self.column)
    }

    /// The states in which there are tasks, each with its number.
    pub(crate) fn states(&self) -> impl Iterator<Item = (usize, &'static str)> {
        let states = [
            (self.parked, "parked"),
            (self.timer, "timer"),
            (self.live, "live"),
            (self.never_yields, "never yields"),
            (self.starved, "woken but starved"),
            (self.unknown, "not watched"),
        ];
        states.into_iter().filter(|(count, _)| *count > 0)
    }
}

/// Cuts off the folder in which cargo keeps other crates: what is left is the same on every machine.
pub(crate) fn shorten(file: &str) -> &str {
    let after = |folder: &str, levels| {
        let (_, rest) = file.split_once(folder)?;
        rest.splitn(levels + 1, ['/', '\\']).nth(levels)
    };
    after("/registry/src/", 1)
        .or_else(|| after("\\registry\\src\\", 1))
        .or_else(|| after("/git/checkouts/", 2))
        .unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_crates_begin_with_the_crate() {
        for (file, short) in [
            ("src/main.rs", "src/main.rs"),
            (
                "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/hyper-util-0.1.9/src/rt.rs",
                "hyper-util-0.1.9/src/rt.rs",
            ),
            ("C:\\cargo\\registry\\src\\index-1\\tonic-0.14.9\\src\\lib.rs", "tonic-0.14.9\\src\\lib.rs"),
            ("/home/me/.cargo/git/checkouts/tonic-0f9ad83ccae5b6a1/abc1234/tonic/src/x.rs", "tonic/src/x.rs"),
        ] {
            assert_eq!(shorten(file), short);
        }
    }
}
