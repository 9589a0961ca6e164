//! Runs a body on several kinds of runtime at once, and compares the verdicts with what is right.

use std::{
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use leakcheck::{Checker, Findings, Report};

use crate::gate::{self, Group};

/// The runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    CurrentThread,
    StartPaused,
    MultiThread,
}

pub(crate) const ALL: &[On] = &[On::CurrentThread, On::StartPaused, On::MultiThread];
/// Where real time passes from the start.
pub(crate) const REAL_TIME: &[On] = &[On::CurrentThread, On::MultiThread];
/// Where the checker may move the clock.
pub(crate) const ONE_THREAD: &[On] = &[On::CurrentThread, On::StartPaused];

/// Set by a task when its work is complete.
#[derive(Clone, Default)]
pub(crate) struct Done(Arc<AtomicBool>);

impl Done {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Spawns the work. What comes back is set when the work says that it is complete.
    pub(crate) fn when(work: impl Future<Output = bool> + Send + 'static) -> Self {
        let done = Self::default();
        let told = done.clone();
        tokio::spawn(async move {
            if work.await {
                told.set();
            }
        });
        done
    }
}

/// How a body is run.
pub(crate) struct Runs {
    flavors: &'static [On],
    group: Group,
    set_up: fn(Checker) -> Checker,
}

pub(crate) fn on(flavors: &'static [On]) -> Runs {
    Runs { flavors, group: Group::NoChildren, set_up: |checker| checker }
}

impl Runs {
    /// For a body that starts a process.
    pub(crate) fn with_children(self) -> Self {
        Self { group: Group::Children, ..self }
    }

    pub(crate) fn checked_by(self, set_up: fn(Checker) -> Checker) -> Self {
        Self { set_up, ..self }
    }

    /// The body leaves nothing, and the work that it began was completed.
    #[track_caller]
    pub(crate) fn ends<F: Future<Output = Done> + 'static>(self, body: fn() -> F) {
        self.judge(body, |found| match found.value {
            Ok(_) if !found.report.is_clean() => Err("it ends by itself".into()),
            Ok(done) if !done.is_set() => Err("clean, but its work was cut off".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the body: {error:?}")),
        });
    }

    /// The body leaves this many tasks, spawned at these lines of the caller's file, and no blocking closure.
    #[track_caller]
    pub(crate) fn leaks<F: Future<Output = ()> + 'static>(self, lines: &[(u32, usize)], body: fn() -> F) {
        let file = Location::caller().file();
        self.judge(body, |found| match found.value {
            Ok(()) => blames(&found.report, file, lines),
            Err(error) => Err(format!("the body: {error:?}")),
        });
    }

    /// The body leaves tasks of these lines of the caller's file: of the last line always, of the others as it comes.
    #[track_caller]
    pub(crate) fn leaks_some<F: Future<Output = ()> + 'static>(self, lines: &[u32], body: fn() -> F) {
        let file = Location::caller().file();
        self.judge(body, |found| {
            let left: Vec<_> = found.report.survivors.iter().map(|group| (&*group.file, group.line)).collect();
            let expected = |place: &(&str, u32)| place.0 == file && lines.contains(&place.1);
            let has_last = lines.last().is_some_and(|last| left.contains(&(file, *last)));
            let right = has_last && left.iter().all(expected) && found.value.is_ok();
            right.then_some(()).ok_or_else(|| format!("it leaves {lines:?}"))
        });
    }

    /// The body's own scope finds this, whatever is left in the end.
    #[track_caller]
    pub(crate) fn scope_finds<F: Future<Output = Report> + 'static>(self, lines: &[(u32, usize)], body: fn() -> F) {
        let file = Location::caller().file();
        self.judge(body, |found| match &found.value {
            Ok(report) => blames(report, file, lines).map_err(|wrong| format!("{wrong}\nin its scope: {report}")),
            Err(error) => Err(format!("the body: {error:?}")),
        });
    }

    #[track_caller]
    fn judge<F: Future<Output = T> + 'static, T: Send + 'static>(
        self,
        body: fn() -> F,
        right: impl Fn(Findings<T>) -> Result<(), String> + Sync,
    ) {
        let _inside = gate::enter(self.group);
        let run = |flavor: On| {
            let checker = match flavor {
                On::CurrentThread => Checker::current_thread(),
                On::StartPaused => Checker::current_thread().start_paused(true),
                On::MultiThread => Checker::multi_thread(2),
            };
            let found = (self.set_up)(checker).find(body);
            let report = found.report.clone();
            right(found).err().map(|wrong| format!("{flavor:?}: {wrong}\n{report}"))
        };
        let wrong: Vec<_> = thread::scope(|scope| {
            let runs: Vec<_> = self.flavors.iter().map(|flavor| scope.spawn(|| run(*flavor))).collect();
            runs.into_iter().filter_map(|run| run.join().expect("the checker does not panic")).collect()
        });
        assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), self.flavors.len(), wrong.join("\n"));
    }
}

fn blames(report: &Report, file: &str, lines: &[(u32, usize)]) -> Result<(), String> {
    let mut found: Vec<_> = report.survivors.iter().map(|group| (&*group.file, group.line, group.count)).collect();
    found.sort_unstable();
    let wanted: Vec<_> = lines.iter().map(|(line, count)| (file, *line, *count)).collect();
    if found == wanted && report.blocking == 0 { Ok(()) } else { Err(format!("it leaves {wanted:?}")) }
}
