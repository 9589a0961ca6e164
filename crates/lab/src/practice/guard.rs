//! Tries the reader's guard: its tests are built against the given service and against the reader's copy, run beside each other, and
//! judged by what they say.

mod judge;
mod said;

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow};
use evidence::{
    exercise::{Exercise, MINE, START, TRAP},
    key::Key,
};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use super::diagnosis;
use crate::{
    cargo::{self, DidNotCompile, Progress},
    check::{Event, Tell},
    child::{self, Group},
};
pub use judge::{Judged, Worth};
use judge::{Lines, Ran, Tried};

/// The reader's guard.
pub const FILE: &str = "guard.rs";
/// A guard that has not ended after this long hangs. It is below the deadline of `leakcheck` itself, so that one line says it of all.
const RUN_LIMIT: Duration = Duration::from_secs(20);
/// What a test program says beyond this is not kept.
const SAID_MAX: u64 = 1 << 20;
/// Sides that take the guard have this line.
const TAKES_GUARD: &str = "mod guard;";

/// A guard's test programs, built, with the sides that they are of.
struct Built {
    programs: Vec<(String, PathBuf)>,
    /// The reader's copy is still the service as it is given.
    unchanged: bool,
}

/// Builds and runs the reader's guard, and says what it is worth. `known` is what a run of the given service told, and is filled in where it takes
/// one. Dropping the future ends whatever runs.
///
/// # Errors
/// When a file is missing, or cargo cannot run.
pub async fn try_on_both(
    root: &Path,
    exercise: &Exercise,
    known: &Mutex<Option<Key>>,
    on: Tell<'_>,
) -> anyhow::Result<Judged> {
    let built = match build(root, exercise, on).await? {
        Ok(built) => built,
        Err(judged) => return Ok(judged),
    };
    let ran = built.run(exercise).await?;
    if exercise.is_healthy() {
        let worse = built.programs.get(2).map(|(side, _)| side.as_str()).zip(ran.get(2));
        return Ok(judge::judge_healthy(&ran[0], &ran[1], worse));
    }
    let by_assertion = exercise.facts.diagnosis.gauge.is_some();
    let judged =
        |lines: &Lines| judge::judge(&Tried { lines, by_assertion, unchanged: built.unchanged }, &ran[0], &ran[1]);
    // Whether the line that it names is the right one takes a run; whether it names one at all does not.
    let at_best = judged(&Lines::Any);
    if at_best.worth != Worth::Guards || by_assertion {
        return Ok(at_best);
    }
    let cached = lock(known).clone();
    let key = match cached {
        Some(key) => key,
        None => diagnosis::key(root, exercise, on).await?,
    };
    let lines = Lines::These(key.line_numbers());
    *lock(known) = Some(key);
    Ok(judged(&lines))
}

/// True when there is something in the guard that could be tried.
pub fn has_test(exercise: &Exercise) -> bool {
    let text = fs::read_to_string(exercise.scenario.dir.join(FILE)).unwrap_or_default();
    judge::at_sight(&text).is_none_or(|judged| judged.worth != Worth::NoTest)
}

/// Builds the guard's tests, or says what the guard is worth where that needs no run.
async fn build(root: &Path, exercise: &Exercise, on: Tell<'_>) -> anyhow::Result<Result<Built, Judged>> {
    let read = |file: &str| {
        let path = format!("exercises/{}/{file}", exercise.name());
        match fs::read_to_string(exercise.scenario.dir.join(file)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(anyhow!("{path} is missing: `git checkout -- {path}` brings it back"))
            }
            read => read.with_context(|| format!("cannot read {path}")),
        }
    };
    let (source, start, mine) = (read(FILE)?, read("start.rs")?, read("mine.rs")?);
    if let Some(judged) = judge::at_sight(&source) {
        return Ok(Err(judged));
    }
    let sides: Vec<_> = [START, MINE].into_iter().map(str::to_owned).chain(worse(exercise)).collect();
    let bins: Vec<_> = sides.iter().map(|side| exercise.scenario.bin(side)).collect();
    let executables = match cargo::build_tests(root, &bins, tell(on)).await {
        Ok(executables) => executables,
        Err(error) => return not_built(root, &bins[..1], &error.downcast()?, on).await.map(Err),
    };
    let program = |(side, bin): (String, &String)| {
        let executable = executables.get(bin).with_context(|| format!("cargo built no tests of {bin}"))?;
        anyhow::Ok((side, executable.clone()))
    };
    let programs = sides.into_iter().zip(&bins).map(program).collect::<anyhow::Result<_>>()?;
    Ok(Ok(Built { programs, unchanged: body(&start) == body(&mine) }))
}

fn tell(on: Tell<'_>) -> impl FnMut(Progress) + '_ {
    move |step| on(Event::Build { text: step.text, done: step.done, total: step.total })
}

/// Which of the two does not compile with the guard.
async fn not_built(root: &Path, start: &[String], not: &DidNotCompile, on: Tell<'_>) -> anyhow::Result<Judged> {
    match cargo::build_tests(root, start, tell(on)).await {
        Ok(_) => Ok(Judged::not_built("your copy, with the guard,", not)),
        Err(error) => Ok(Judged::not_built("the guard", &error.downcast::<DidNotCompile>()?)),
    }
}

/// The rejected side of a healthy service on which the guard must fail: the one that takes it.
fn worse(exercise: &Exercise) -> Option<String> {
    let takes = |side: &&str| {
        let text = fs::read_to_string(exercise.scenario.source(side)).unwrap_or_default();
        side.starts_with(TRAP) && text.lines().any(|line| line == TAKES_GUARD)
    };
    exercise.traps().filter(|_| exercise.is_healthy()).find(takes).map(str::to_owned)
}

/// A side's text without the line that says how to run it.
fn body(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("//! Run it:")).collect()
}

impl Built {
    /// Runs the tests on all sides at the same time.
    async fn run(&self, exercise: &Exercise) -> anyhow::Result<Vec<Ran>> {
        let runs = self.programs.iter().map(|(_, program)| run(program, &exercise.scenario.dir));
        futures_util::future::try_join_all(runs).await
    }
}

/// Runs the tests of one side; nothing of them is left afterwards.
async fn run(program: &Path, folder: &Path) -> anyhow::Result<Ran> {
    let mut command = Command::new(program);
    command.args(["guard::", "--test-threads=1", "--show-output", "--color=never"]);
    command.current_dir(folder).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut group = Group::spawn(command).with_context(|| format!("cannot start {}", program.display()))?;
    let mut stdout = group.take_stdout().context("a test program has no output")?;
    let mut said = Vec::new();
    let run = async {
        (&mut stdout).take(SAID_MAX).read_to_end(&mut said).await?;
        // A full pipe would stop it.
        tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await?;
        group.wait().await
    };
    let Ok(status) = timeout(RUN_LIMIT, run).await else {
        return Ok(Ran::Hung { seconds: RUN_LIMIT.as_secs() });
    };
    let ending = child::describe(status?);
    Ok(Ran::Ended { said: String::from_utf8_lossy(&said).into_owned(), ending })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
