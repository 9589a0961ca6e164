//! Recall: every kernel is found, with the number of its tasks and their spawn lines, on every runtime it leaks on.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::{Debug, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use leakcheck::{Body, Checker, Report, attach};
use tokio::runtime::{Builder, LocalOptions};

use crate::leaks::{self, Flavor, Leak, State};

/// A verdict waits, so many runs share the processors.
const THREADS: usize = 16;
/// For bodies that never return. The others have the default.
const DEADLINE: Duration = Duration::from_secs(2);

#[test]
fn every_leak_is_found_with_its_spawn_line() {
    assert_none(&FAILURES.found);
}

#[test]
fn every_leak_is_called_parked_or_live_or_never_yielding_as_it_is() {
    assert_none(&FAILURES.states);
}

fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} of {} runs failed\n\n{}", failures.len(), FAILURES.runs, failures.join("\n"));
}

#[test]
fn the_corpus_has_many_mechanisms_and_no_name_twice() {
    let leaks = leaks::all();
    let names: BTreeSet<_> = leaks.iter().map(|leak| leak.name).collect();
    let incidents: BTreeSet<_> = leaks.iter().map(|leak| leak.incident).filter(|name| name.contains('#')).collect();
    assert_eq!(names.len(), leaks.len(), "a name stands twice");
    assert!(names.len() >= 45, "{} mechanisms", names.len());
    assert!(incidents.len() >= 30, "{} public incidents", incidents.len());
}

#[test]
fn the_marks_of_a_leak_add_up_to_its_tasks() {
    for leak in leaks::all() {
        assert_eq!(leak.marks().values().map(|mark| mark.count).sum::<usize>(), leak.tasks, "{}", leak.name);
    }
}

/// The faults of all runs. The runs are made once, for several tests.
static FAILURES: LazyLock<Failures> = LazyLock::new(Failures::collect);

#[derive(Default)]
struct Failures {
    runs: usize,
    /// Wrong counts, wrong lines, and bodies that were misjudged.
    found: Vec<String>,
    /// Tasks that do something else than the report says.
    states: Vec<String>,
}

impl Failures {
    fn collect() -> Self {
        let leaks = leaks::all();
        let runs = runs(&leaks);
        let failures = Mutex::new(Self { runs: runs.len(), ..Self::default() });
        let runs = Mutex::new(runs);
        let work = || {
            while let Some(run) = next(&runs) {
                let report = run.report();
                let (found, state) = (run.wrong(&report), run.wrong_states(&report));
                let mut failures = lock(&failures);
                failures.found.extend(run.failure(&found, &report));
                failures.states.extend(run.failure(&state, &report));
            }
        };
        thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
        failures.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One kernel, once, on one runtime.
struct Run<'a> {
    leak: &'a Leak,
    flavor: Flavor,
    repeat: usize,
}

fn runs(leaks: &[Leak]) -> Vec<Run<'_>> {
    let repeats = env::var("LEAKCHECK_REPEATS").map_or(2, |repeats| repeats.parse().expect("a number of repeats"));
    let mut runs = Vec::new();
    for repeat in 0..repeats {
        for leak in leaks {
            runs.extend(leak.flavors.iter().map(|&flavor| Run { leak, flavor, repeat }));
        }
    }
    runs
}

fn next<'a>(runs: &Mutex<Vec<Run<'a>>>) -> Option<Run<'a>> {
    lock(runs).pop()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run<'_> {
    fn failure(&self, wrong: &str, report: &Report) -> Option<String> {
        let Leak { name, incident, .. } = self.leak;
        let head = format!("{name} ({incident}), {:?}, repeat {}", self.flavor, self.repeat);
        (!wrong.is_empty()).then(|| format!("{head}\n{wrong}{report}"))
    }

    fn report(&self) -> Report {
        let checker = match self.flavor {
            Flavor::Current => Checker::current_thread(),
            Flavor::Paused => Checker::current_thread().start_paused(true),
            Flavor::Multi => Checker::multi_thread(2),
            Flavor::Local => return self.local_report(),
        };
        let checker = if self.leak.returns { checker } else { checker.deadline(DEADLINE) };
        checker.find(self.leak.run).report
    }

    /// There is no checker for a `LocalRuntime`; a watch goes with any builder.
    fn local_report(&self) -> Report {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        let watch = attach(&mut builder).install();
        let runtime = builder.build_local(LocalOptions::default()).expect("the system gives a runtime");
        runtime.block_on(async {
            (self.leak.run)().await;
            watch.find().await
        })
    }

    /// The differences from the report as it should be, one a line.
    fn wrong(&self, report: &Report) -> String {
        let leak = self.leak;
        let mut wrong = String::new();
        let mut expect = |what: &str, expected: &dyn Debug, found: &dyn Debug| {
            let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
            if expected != found {
                _ = writeln!(wrong, "  {what}: expected {expected}, found {found}");
            }
        };
        expect("clean", &false, &report.is_clean());
        let as_it_ended =
            if leak.returns { report.body == Body::Returned } else { matches!(report.body, Body::Overdue(_)) };
        expect("the body ended as it should", &true, &as_it_ended);
        expect("tasks", &leak.tasks, &report.tasks());
        expect("blocking", &leak.blocking, &report.blocking);
        expect("lines", &marked(leak), &reported(report));
        wrong
    }

    /// The marked lines whose tasks the report says to be in another state, a line each.
    fn wrong_states(&self, report: &Report) -> String {
        let marks = self.leak.marks();
        let mut wrong = String::new();
        for group in &report.survivors {
            let right = match marks.get(&group.line).map(|mark| mark.state) {
                Some(State::Parked) => group.parked,
                Some(State::Live) => group.live,
                Some(State::ParkedOrTimer) => group.parked + group.timer,
                Some(State::ParkedLiveOrTimer) => group.parked + group.live + group.timer,
                Some(State::ParkedOrStarved) => group.parked + group.starved,
                Some(State::NeverYields) => group.never_yields,
                // An unmarked line is the other test's business.
                None => continue,
            };
            if right != group.count {
                _ = writeln!(wrong, "  line {}: not what is marked", group.line);
            }
        }
        wrong
    }
}

type Lines<'a> = BTreeMap<(&'a str, u32), usize>;

fn marked(leak: &Leak) -> Lines<'_> {
    leak.marks().into_iter().map(|(line, mark)| ((leak.file, line), mark.count)).collect()
}

/// Two spawns on one line differ by their column; a mark has no column.
fn reported(report: &Report) -> Lines<'_> {
    let mut lines = Lines::new();
    for group in &report.survivors {
        *lines.entry((&*group.file, group.line)).or_default() += group.count;
    }
    lines
}
