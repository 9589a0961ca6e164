//! Makes exhibits anew, all of a name at once: what `cargo lab record` does, and the one way to do it. A set of files is written whole when all of it is
//! made, so Ctrl-C leaves the old ones.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Output, Stdio},
};

use anyhow::{Context, bail, ensure};
use evidence::{
    catalogue::Scenario,
    chart,
    exercise::Exercise,
    exhibit::{self, Exhibit, Exhibits, Kind, Note},
    guard,
    made_by::{Now, hash_of},
    series::Recording,
    words,
};
use tokio::process::Command;

use crate::{cargo, check, child::Group, measure, pair::Event, today};

/// The programs of the general statements.
const CLAIMS: [&str; 2] = ["claims", "claims-console"];
/// A test or a bench that makes tables writes them into the folder that this variable names, and compares nothing.
const SHOWN: &str = "SHOWN";
/// Lines of a failed command that are shown.
const SAID_LINES: usize = 30;

/// What is going on.
pub enum Progress {
    /// Worth a line of its own.
    Line(String),
    /// True until the next one.
    Step(String),
}

/// A name whose exhibits are made.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// A scenario or a control.
    Scenario(&'a Scenario),
    /// An exercise, which has recorded runs and nothing else.
    Exercise(&'a Exercise),
    /// What the page on leak tests shows.
    LeakTest,
    /// What the general statements saw.
    Claims,
}

/// Who wants to know.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Sync);
/// Files from the root, with their new contents.
type Made = BTreeMap<String, Vec<u8>>;

impl Subject<'_> {
    /// As it is called on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::Scenario(scenario) => &scenario.name,
            Self::Exercise(exercise) => exercise.name(),
            Self::LeakTest => exhibit::LEAK_TEST,
            Self::Claims => CLAIMS[0],
        }
    }

    /// Makes its exhibits of these kinds, all of them where no kind is named.
    ///
    /// # Errors
    /// When one cannot be made, or is not as it must be; what was made before stays.
    pub async fn renew(self, root: &Path, only: &[Kind], tell: Tell<'_>) -> anyhow::Result<()> {
        let asked = |kind| only.is_empty() || only.contains(&kind);
        let exhibits = match self {
            Self::Claims if asked(Kind::Claims) => return claims(root, tell).await,
            Self::Claims => return Ok(()),
            Self::LeakTest => Exhibits::of_leak_test(root)?,
            Self::Scenario(scenario) => Exhibits::of(scenario),
            Self::Exercise(exercise) => Exhibits::of(&exercise.scenario),
        };
        // The quick ones first: what is wrong with a program shows in its tests.
        for kind in [Kind::Guards, Kind::Tables, Kind::Runs, Kind::Screens] {
            let some: Vec<_> = exhibits.all.iter().filter(|one| one.kind == kind).collect();
            if asked(kind) && !some.is_empty() {
                self.renew_kind(root, &exhibits, kind, &some, tell).await.with_context(|| format!("no {kind}"))?;
            }
        }
        Ok(())
    }

    async fn renew_kind(
        self,
        root: &Path,
        exhibits: &Exhibits,
        kind: Kind,
        some: &[&Exhibit],
        tell: Tell<'_>,
    ) -> anyhow::Result<()> {
        tell(Progress::Line(format!("{}: {kind}", self.name())));
        let before = exhibits.ingredients(kind).now(root)?;
        let mut made = match (self, kind) {
            (Self::Scenario(scenario), Kind::Guards) => {
                BTreeMap::from([(some[0].file.clone(), guard_report(root, scenario).await?.into())])
            }
            (Self::Scenario(scenario), Kind::Runs) => runs(root, scenario, tell).await?,
            (Self::Exercise(exercise), Kind::Runs) => exercise_runs(root, exercise, tell).await?,
            (Self::Scenario(scenario), Kind::Screens) => screens(root, &scenario.name, some).await?,
            _ => tables(root, some, tell).await?,
        };
        let unchanged = before == exhibits.ingredients(kind).now(root)?;
        ensure!(unchanged, "sources changed in the meantime: {}", exhibits.renew());
        if kind != Kind::Runs {
            made.insert(exhibits.notes_file(), notes(root, exhibits, &made, before)?);
        }
        // From here on nothing is waited for, so Ctrl-C cannot come between two files.
        for (file, contents) in &made {
            write_whole(&root.join(file), contents)?;
            tell(Progress::Line(format!("    wrote {file}")));
        }
        Ok(())
    }
}

/// The package's notes, with those of what was made now.
fn notes(root: &Path, exhibits: &Exhibits, made: &Made, now: Now) -> anyhow::Result<Vec<u8>> {
    let made_by = today::made_by(now)?;
    let mut notes = exhibits.notes(root)?;
    notes.retain(|file, _| exhibits.all.iter().any(|one| one.file == *file));
    let note = |contents: &Vec<u8>| Note { contents: hash_of(contents), made_by: made_by.clone() };
    notes.extend(made.iter().map(|(file, contents)| (file.clone(), note(contents))));
    Ok((serde_json::to_string_pretty(&notes)? + "\n").into())
}

async fn runs(root: &Path, scenario: &Scenario, tell: Tell<'_>) -> anyhow::Result<Made> {
    let on = |event: Event| match event {
        Event::Build { text, done, total } => {
            tell(Progress::Step(words::building(&text, done, total)));
        }
        Event::Sample { side, sample, .. } => {
            tell(Progress::Step(format!("{side}: {} units done", sample.units_done)));
        }
        Event::Stalled { side, seconds } => tell(Progress::Step(format!("{side}: no unit has ended for {seconds} s"))),
        Event::Started { .. } | Event::Verdict { .. } | Event::Error { .. } => {}
    };
    recorded(root, &measure::make(root, scenario, &on).await?)
}

async fn exercise_runs(root: &Path, exercise: &Exercise, tell: Tell<'_>) -> anyhow::Result<Made> {
    let on = |event: check::Event| match event {
        check::Event::Build { text, done, total } => tell(Progress::Step(words::building(&text, done, total))),
        check::Event::Sample { side, sample } => {
            tell(Progress::Step(format!("{side}: {} units done", sample.units_done)));
        }
        check::Event::Again { attempt } => {
            tell(Progress::Line(format!("    this machine was too busy to tell: try {attempt} of {}", check::TRIES)));
        }
        check::Event::Started { .. } | check::Event::Verdict(_) | check::Event::Error { .. } => {}
    };
    recorded(root, &measure::make_exercise(root, exercise, &on).await?)
}

/// The file of a recording, and its picture.
fn recorded(root: &Path, recording: &Recording) -> anyhow::Result<Made> {
    let file = exhibit::recording_file(&recording.scenario);
    let mut made = Made::from([(file.clone(), (serde_json::to_string(recording)? + "\n").into())]);
    // A picture for where no page is, as in the README: only where there is one.
    let picture = format!("{}svg", file.trim_end_matches("json"));
    if root.join(&picture).exists() {
        made.insert(picture, chart::divergence(recording)?.into());
    }
    Ok(made)
}

/// What the guard of a scenario's leak says now.
///
/// # Errors
/// When the test fails, or says nothing that is a report.
pub async fn guard_report(root: &Path, scenario: &Scenario) -> anyhow::Result<String> {
    let bin = scenario.bin("leak");
    let command = ["test", "--quiet", "--bin", &bin, "guard::", "--", "--nocapture", "--test-threads=1"];
    let output = cargo::output(root, &command, None).await?;
    let missing = || format!("{bin}: no report in what its guard printed:\n{}", said(&output));
    guard::report_in(&all_words(&output)).with_context(missing)
}

/// Each command is run once, though it makes several files.
async fn tables(root: &Path, some: &[&Exhibit], tell: Tell<'_>) -> anyhow::Result<Made> {
    let mut commands: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for exhibit in some {
        let command = exhibit.command.as_deref().context("a table needs a command")?;
        commands.entry(command).or_default().push(&exhibit.file);
    }
    let mut made = Made::new();
    for (command, files) in commands {
        tell(Progress::Step(format!("cargo {command}")));
        made.extend(table(root, command, &files).await?);
    }
    Ok(made)
}

/// A program prints its table; tests and benches write theirs into the folder that `SHOWN` names.
async fn table(root: &Path, command: &str, files: &[&str]) -> anyhow::Result<Made> {
    let folder = tempfile::tempdir().context("cannot make a folder for tables")?;
    let words: Vec<_> = command.split_whitespace().collect();
    let output = cargo::output(root, &words, Some((SHOWN, folder.path().as_os_str()))).await?;
    let contents = |file: &str| -> anyhow::Result<Vec<u8>> {
        if words.first() == Some(&"run") {
            ensure!(files.len() == 1, "`cargo {command}` prints one table, not {}", files.join(" and "));
            return Ok(output.stdout.clone());
        }
        let name = Path::new(file).file_name().unwrap_or_default();
        let missing = || format!("`cargo {command}` wrote no {} into ${SHOWN}", name.display());
        fs::read(folder.path().join(name)).with_context(missing)
    };
    let made = files.iter().map(|file| Ok(((*file).to_owned(), contents(file)?))).collect::<anyhow::Result<Made>>()?;
    match made.iter().find(|(_, contents)| contents.is_empty()) {
        Some((file, _)) => bail!("`cargo {command}` made nothing of {file}"),
        None => Ok(made),
    }
}

async fn screens(root: &Path, name: &str, some: &[&Exhibit]) -> anyhow::Result<Made> {
    let folder = tempfile::tempdir().context("cannot make a folder for pictures")?;
    let mut command = Command::new(root.join("scripts/pair"));
    command.args([name, "--capture"]).arg(folder.path()).current_dir(root);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Group::output(command).await.context("cannot run scripts/pair")?;
    ensure!(output.status.success(), "scripts/pair {name} --capture failed:\n{}", said(&output));
    let contents = |exhibit: &&Exhibit| {
        let file = Path::new(&exhibit.file).file_name().unwrap_or_default();
        let contents = fs::read(folder.path().join(file)).with_context(|| format!("no {}", file.display()))?;
        Ok((exhibit.file.clone(), contents))
    };
    some.iter().map(contents).collect()
}

/// The claims' programs write the file themselves.
async fn claims(root: &Path, tell: Tell<'_>) -> anyhow::Result<()> {
    for program in CLAIMS {
        tell(Progress::Line(format!("claims: cargo run --bin {program}")));
        cargo::output(root, &["run", "--quiet", "--bin", program, "--", "--record"], None).await?;
    }
    tell(Progress::Line("    wrote book/recordings/claims.json".into()));
    Ok(())
}

fn all_words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Both outputs, cut to what a person reads.
fn said(output: &Output) -> String {
    let words = all_words(output);
    let lines: Vec<_> = words.lines().collect();
    lines[lines.len().saturating_sub(SAID_LINES)..].join("\n")
}

/// A reader never sees half of a file.
fn write_whole(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let unfinished = path.with_extension("part");
    let written = fs::write(&unfinished, contents).and_then(|()| fs::rename(&unfinished, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}
