//! Tries the reader's guard: its tests are built against the given service and against the reader's copy, run beside each other, and
//! judged by what they say.

mod judge;
mod said;

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::Context;
use evidence::exercise::{Exercise, MINE, START, TRAP};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use crate::{
    cargo::{self, Progress},
    child::{self, Group},
};
pub use judge::{Judged, Worth};
use judge::{Ran, Tried};

/// The reader's guard.
pub const FILE: &str = "guard.rs";
/// A guard that has not ended after this long hangs. It is below the deadline of `leakcheck` itself, so that one line says it of all.
const RUN_LIMIT: Duration = Duration::from_secs(20);
/// What a test program says beyond this is not kept.
const SAID_MAX: u64 = 1 << 20;
/// Sides that take the guard have this line.
const TAKES_GUARD: &str = "mod guard;";

/// A guard's test programs, built.
pub(crate) struct Built {
    programs: Vec<(String, std::path::PathBuf)>,
    unchanged: bool,
}

/// Builds the guard's tests, or says what the guard is worth where that needs no run.
///
/// # Errors
/// When a file is missing, or cargo cannot run.
pub(crate) async fn build(
    root: &Path,
    exercise: &Exercise,
    on: &(dyn Fn(Progress) + Sync),
) -> anyhow::Result<Result<Built, Judged>> {
    let read = |file: &str| {
        let missing = || {
            let path = format!("exercises/{}/{file}", exercise.name());
            format!("{path} is missing: `git checkout -- {path}` brings it back")
        };
        fs::read_to_string(exercise.scenario.dir.join(file)).with_context(missing)
    };
    let (source, start, mine) = (read(FILE)?, read("start.rs")?, read("mine.rs")?);
    if let Some(judged) = judge::at_sight(&source) {
        return Ok(Err(judged));
    }
    cargo::check_flags()?;
    let sides: Vec<_> = [START, MINE].into_iter().map(str::to_owned).chain(worse(exercise)).collect();
    let bins: Vec<_> = sides.iter().map(|side| exercise.scenario.bin(side)).collect();
    let executables = match cargo::build_tests(root, &bins, on).await {
        Ok(executables) => executables,
        Err(error) => return not_built(root, &bins[..1], &error, on).await.map(Err),
    };
    let program = |(side, bin): (String, &String)| {
        let executable = executables.get(bin).with_context(|| format!("cargo built no tests of {bin}"))?;
        anyhow::Ok((side, executable.clone()))
    };
    let programs = sides.into_iter().zip(&bins).map(program).collect::<anyhow::Result<_>>()?;
    Ok(Ok(Built { programs, unchanged: body(&start) == body(&mine) }))
}

/// Which of the two does not compile with the guard.
async fn not_built(
    root: &Path,
    start: &[String],
    error: &anyhow::Error,
    on: &(dyn Fn(Progress) + Sync),
) -> anyhow::Result<Judged> {
    let all = format!("{error:#}");
    Ok(match cargo::build_tests(root, start, on).await {
        Ok(_) => Judged::not_built("your copy, with the guard,", compilers(&all)),
        Err(error) => Judged::not_built("the guard", compilers(&format!("{error:#}"))),
    })
}

/// The compiler's words, without the line above them.
fn compilers(error: &str) -> &str {
    error.split_once("did not compile:\n").map_or(error, |(_, words)| words)
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
    /// Runs the tests on all sides at the same time, and judges. `lines` of `start.rs` spawn what stays.
    ///
    /// # Errors
    /// When a test program cannot be started.
    pub(crate) async fn run(&self, exercise: &Exercise, lines: &[usize]) -> anyhow::Result<Judged> {
        let runs = self.programs.iter().map(|(_, program)| run(program, &exercise.scenario.dir));
        let ran = futures_util::future::try_join_all(runs).await?;
        let (start, mine) = (&ran[0], &ran[1]);
        if exercise.is_healthy() {
            let worse = self.programs.get(2).map(|(side, _)| side.as_str()).zip(ran.get(2));
            return Ok(judge::judge_healthy(start, mine, worse));
        }
        let by_assertion = exercise.facts.diagnosis.gauge.is_some();
        let tried = Tried { lines, by_assertion, unchanged: self.unchanged };
        Ok(judge::judge(&tried, start, mine))
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
