//! Proves every side of every exercise but the reader's copy: where something is to be found, `start` fails for the reason that the
//! exercise states; every solution passes; every trap fails for its own reason. The tests are found by listing the folder;
//! `cargo test --test exercises upload-scan` builds and runs some of them. The lab itself runs under `leakcheck` here.

use std::{
    collections::BTreeMap,
    path::Path,
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use evidence::{catalogue::Catalogue, contract::as_stated, exercise::Exercise, root};
use lab::{
    cargo,
    check::{self, Outcome, Seen},
};
use leakcheck::Checker;
use libtest_mimic::{Arguments, Failed, Trial};

/// Exercises at once. Each runs a few sides beside its solution, which mostly wait, so the cores have enough to do.
const EXERCISES_AT_ONCE: usize = 1;
/// A whole build may come first.
const DEADLINE: Duration = Duration::from_secs(1_800);

/// The sides of one exercise that are asked for. They run together, by whichever test comes first.
struct Group {
    root: Arc<Path>,
    exercise: Exercise,
    sides: Vec<String>,
    seen: OnceLock<Result<BTreeMap<String, Seen>, String>>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(EXERCISES_AT_ONCE);
    let root: Arc<Path> = root::find().expect("the tests run inside the workbook").into();
    let catalogue = Catalogue::read(&root).expect("the workbook can be read");
    assert!(catalogue.broken.is_empty(), "{:?}", catalogue.broken);
    let groups = catalogue.exercises.into_iter().map(|exercise| Arc::new(Group::new(&root, exercise, &arguments)));
    let groups: Vec<_> = groups.collect();
    let bins: Arc<[String]> = groups.iter().flat_map(|group| group.bins()).collect();
    let built = Arc::new(OnceLock::new());
    let trial = |group: &Arc<Group>, side: &str| {
        let (group, built, bins, side) = (group.clone(), built.clone(), bins.clone(), side.to_owned());
        Trial::test(group.name(&side), move || {
            // One build for all, by whichever test comes first.
            let here = group.root.clone();
            let build = || checked(move || async move { cargo::build(&here, &bins, |_| {}).await.map(drop) });
            built.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone()?;
            group.prove(&side)
        })
    };
    let trials =
        groups.iter().flat_map(|group| group.exercise.proven().map(|side| trial(group, side)).collect::<Vec<_>>());
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

impl Group {
    fn new(root: &Arc<Path>, exercise: Exercise, arguments: &Arguments) -> Self {
        let is_asked = |side: &&str| is_asked(arguments, &format!("{}::{side}", exercise.name()));
        let sides = exercise.proven().filter(is_asked).map(str::to_owned).collect();
        Self { root: root.clone(), exercise, sides, seen: OnceLock::new() }
    }

    fn name(&self, side: &str) -> String {
        format!("{}::{side}", self.exercise.name())
    }

    fn bins(&self) -> Vec<String> {
        self.sides.iter().map(|side| self.exercise.scenario.bin(side)).collect()
    }

    fn prove(&self, side: &str) -> Result<(), Failed> {
        let seen = &self.seen.get_or_init(|| self.run()).as_ref()?[side];
        if seen.outcome == Outcome::TooBusy {
            return Err(format!("this machine was too busy to tell, {} times: {:?}", check::TRIES, seen.faults).into());
        }
        as_stated(&self.exercise, side, &seen.faults).map_err(|why| format!("{side} {why}").into())
    }

    fn run(&self) -> Result<BTreeMap<String, Seen>, String> {
        let (root, exercise, sides) = (self.root.clone(), self.exercise.clone(), self.sides.clone());
        checked(move || async move { check::run_all(&root, &exercise, &sides, &|_| {}).await })
            .map_err(|error| format!("{error:#}"))
    }
}

/// The harness's own rule, which it keeps to itself: only what will run is built.
fn is_asked(arguments: &Arguments, name: &str) -> bool {
    let fits = |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}

/// Runs a part of the lab, and fails if the lab leaves a task of its own behind.
fn checked<F, T>(work: impl FnOnce() -> F + Send + 'static) -> T
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    Checker::multi_thread(2).deadline(DEADLINE).assert(work)
}
