//! A whole suite that adopts leakcheck: leaks that are told and fail no test, one table a run, and a baseline that may only
//! shrink.
//!
//! libtest has no hook at the end of a run, and nextest has a process for each test. So what a run found is a file, to which
//! each check appends; the command `cargo leakcheck` prints the table.

mod baseline;
pub(crate) mod command;
mod data;
mod exclusive;
mod run;
mod table;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    env,
    io::{self, Write},
    panic::Location,
    path::PathBuf,
    sync::{LazyLock, Mutex},
    thread,
};

use tokio::runtime::{Handle, Id};

pub(crate) use self::data::Test;
use self::{
    baseline::Baseline,
    data::{Left, Outcome, sum},
    run::Run,
};
use crate::{
    lock::lock,
    report::{Body, Report, shorten},
};

/// What the environment asks for. A test that uses this fails with the `Err`, which says what to write.
static SUITE: LazyLock<Result<Suite, String>> = LazyLock::new(|| Suite::from_env(|name| env::var_os(name)));
/// The tests whose checked runtimes are running, so that a scope knows its test on any thread.
static RUNNING: LazyLock<Mutex<HashMap<Id, Test>>> = LazyLock::new(Mutex::default);

/// What a leak does to its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Fail,
    Report,
    Shrink,
}

/// A run of tests, as the environment asks for it.
#[derive(Debug)]
pub(crate) struct Suite {
    mode: Mode,
    baseline: Option<Baseline>,
    run: Option<Run>,
    /// The most that each test of this process left at each line: a test may have several checks.
    seen: Mutex<HashMap<Test, Seen>>,
}

/// What the checks of a test have found so far.
#[derive(Clone, Debug, Default)]
struct Seen {
    left: Left,
    /// Whether the test failed by itself or did not return: then it may have left less than it would have.
    failed: bool,
}

impl Suite {
    /// What the environment asks for.
    ///
    /// # Panics
    ///
    /// At the caller's line, if a variable or the baseline cannot be read.
    #[track_caller]
    pub(crate) fn current() -> &'static Self {
        match &*SUITE {
            Ok(suite) => suite,
            Err(why) => panic!("{why}"),
        }
    }

    fn from_env(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, String> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let mode = match variable("LEAKCHECK").as_ref().map(|value| value.to_string_lossy()).as_deref() {
            None => Mode::Fail,
            Some("report") => Mode::Report,
            Some("shrink") => Mode::Shrink,
            Some(other) => {
                return Err(format!(
                    "LEAKCHECK={other} is no mode: write LEAKCHECK=report (leaks fail no test), LEAKCHECK=shrink (removes \
                     what the baseline no longer needs), or unset it"
                ));
            }
        };
        let path = variable("LEAKCHECK_BASELINE").map(PathBuf::from);
        // A suite that is about to make its first baseline has none to hold its tests against.
        let path = path.filter(|path| mode != Mode::Report || path.exists());
        let baseline = path.map(Baseline::read).transpose()?;
        if mode == Mode::Shrink && baseline.is_none() {
            return Err(
                "LEAKCHECK=shrink needs a baseline: set LEAKCHECK_BASELINE=leakcheck-baseline.txt too".to_owned()
            );
        }
        let wanted = mode == Mode::Report || baseline.is_some();
        let path = variable("LEAKCHECK_REPORT").map(PathBuf::from).or_else(|| wanted.then(run::default_path));
        let run = path.map(|path| Run::new(path, baseline.as_ref().map(Baseline::path)));
        Ok(Self { mode, baseline, run, seen: Mutex::default() })
    }

    /// Notes that the test failed by itself.
    pub(crate) fn failed(&self, test: &Test) {
        lock(&self.seen).entry(test.clone()).or_default().failed = true;
        self.record(test, Outcome::Failed, &Left::new());
    }

    /// Whether the report fails the test: if so, with the text of the failure. Prints what is to be told otherwise.
    ///
    /// `last` says that the check is not one within another check's body.
    pub(crate) fn judge(&self, test: &Test, report: &Report, last: bool) -> Result<(), String> {
        if let Self { mode: Mode::Fail, baseline: None, run: None, .. } = self {
            return if report.is_clean() { Ok(()) } else { Err(report.to_string()) };
        }
        let left = left(report);
        self.note_seen(test, report.body, &left, last);
        match (self.mode, &self.baseline) {
            // A body that did not return has no value to go on with.
            _ if matches!(report.body, Body::Overdue(_)) => Err(report.to_string()),
            _ if report.is_clean() => Ok(()),
            (Mode::Report, _) => {
                eprint!("note: LEAKCHECK=report, or this would fail: {report}");
                Ok(())
            }
            (_, None) => Err(report.to_string()),
            (_, Some(baseline)) => match baseline.beyond(test, &left) {
                None => {
                    eprint!("note: the baseline {} has it: {report}", baseline.shown());
                    Ok(())
                }
                Some(beyond) => Err(format!("{report}{beyond}")),
            },
        }
    }

    /// Whether a leak is a note, whatever the baseline says.
    pub(crate) fn only_reports(&self) -> bool {
        self.mode == Mode::Report
    }

    /// Adds what a check found to the run.
    fn note_seen(&self, test: &Test, body: Body, left: &Left, last: bool) {
        let (seen, news) = self.merge(test, body, left);
        let outcome = match body {
            Body::Overdue(_) => Outcome::Hung,
            _ if seen.left.is_empty() => Outcome::Clean,
            _ => Outcome::Leak,
        };
        if news || outcome == Outcome::Hung {
            self.record(test, outcome, &seen.left);
        }
        if last && self.baseline.is_some() && self.mode != Mode::Report {
            // A thread whose thread-locals are gone runs no test any more.
            let _ = CHECKED.try_with(|checked| checked.0.borrow_mut().insert(test.clone()));
        }
    }

    /// The most that the test has left at each line, and whether that is news.
    fn merge(&self, test: &Test, body: Body, left: &Left) -> (Seen, bool) {
        let mut all = lock(&self.seen);
        let mut news = !all.contains_key(test);
        let seen = all.entry(test.clone()).or_default();
        seen.failed |= matches!(body, Body::Overdue(_));
        for (line, group) in left {
            let most = seen.left.entry(line.clone()).or_default();
            if group.tasks > most.tasks {
                *most = group.clone();
                news = true;
            }
        }
        (seen.clone(), news)
    }

    /// Holds the baseline against all that a test left.
    fn ended(&self, test: &Test) {
        let seen = lock(&self.seen).get(test).cloned().unwrap_or_default();
        match &self.baseline {
            Some(baseline) if !seen.failed => match self.mode {
                Mode::Shrink => baseline.shrink(test, &seen.left).unwrap_or_else(|why| tell(&why)),
                _ => baseline.unneeded(test, &seen.left).iter().for_each(|line| tell(line)),
            },
            _ => {}
        }
    }

    fn record(&self, test: &Test, outcome: Outcome, left: &Left) {
        let Some(run) = &self.run else { return };
        if let Err(why) = run.append(test, outcome, left) {
            tell(&why);
        }
    }
}

/// The tests that were checked on a thread. A test's thread ends with the test, and only then has the test had all its checks.
#[derive(Default)]
struct Checked(RefCell<BTreeSet<Test>>);

thread_local! {
    static CHECKED: Checked = Checked::default();
}

impl Drop for Checked {
    fn drop(&mut self) {
        if let Ok(suite) = &*SUITE {
            self.0.take().iter().for_each(|test| suite.ended(test));
        }
    }
}

impl Test {
    /// The test that the calling thread runs; `at` is where its check is written.
    pub(crate) fn on_this_thread(at: &Location<'_>) -> Self {
        let name = thread::current().name().unwrap_or("unnamed").to_owned();
        Self { file: plain(at.file()), name }
    }

    /// The test whose checked runtime is the current one; the flag says whether there is one. Otherwise as
    /// [`on_this_thread`](Self::on_this_thread).
    pub(crate) fn of_this_runtime(at: &Location<'_>) -> (Self, bool) {
        let running = Handle::try_current().ok().and_then(|handle| lock(&RUNNING).get(&handle.id()).cloned());
        let inside = running.is_some();
        (running.unwrap_or_else(|| Self::on_this_thread(at)), inside)
    }
}

/// Says which test's runtime this is, for as long as the guard lives.
pub(crate) struct Running(Id);

impl Running {
    pub(crate) fn new(handle: &Handle, test: Test) -> Self {
        lock(&RUNNING).insert(handle.id(), test);
        Self(handle.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&RUNNING).remove(&self.0);
    }
}

/// What the report has, by spawn line.
fn left(report: &Report) -> Left {
    let mut left = Left::new();
    let mut add = |line: String, tasks: usize, states: Vec<(usize, String)>| {
        if tasks > 0 {
            let group = left.entry(line).or_default();
            group.tasks += tasks;
            group.states = sum(&group.states, &states);
        }
    };
    for group in &report.survivors {
        let states = group.states().map(|(count, state)| (count, state.to_owned())).collect();
        add(format!("{}:{}", plain(&group.file), group.line), group.count, states);
    }
    add("blocking threads".to_owned(), report.blocking, vec![(report.blocking, "busy".to_owned())]);
    add("without a spawn line".to_owned(), report.unnamed, Vec::new());
    left
}

/// A file's name as every machine has it.
fn plain(file: &str) -> String {
    shorten(file).replace('\\', "/")
}

/// Prints a line past libtest, which keeps what a passing test prints to itself.
fn tell(line: &str) {
    // There is nobody to tell that standard error is closed.
    let _ = writeln!(io::stderr(), "leakcheck: {line}");
}

#[cfg(test)]
mod tests;
