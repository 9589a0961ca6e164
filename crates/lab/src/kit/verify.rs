//! Judges what a candidate hands back: their service in the kit's own world and harness, held against what the kit states.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use book::kit::{self, Files, Ingredients, MAIN, Order, manifest};
use evidence::{
    catalogue::Catalogue,
    exercise::{Exercise, SOLUTION},
    verdict::{self, Outcome as Verdict},
};
use toml::{Table, Value};

use super::{folder, workshop::Workshop};
use crate::{
    cargo::{DidNotCompile, Progress},
    check::{self, Outcome, TRIES},
    child::NotStarted,
    pair,
};

/// A source that is longer is none.
const FILE_MAX: u64 = 1 << 20;
/// Folders that are no part of what is handed in.
const SKIPPED: [&str; 3] = ["target", ".git", ".cargo"];
/// What a candidate may change without a word: the service, what explains it, and what cargo and editors write.
const FREE: [&str; 5] = [MAIN, "README.md", "Cargo.lock", ".gitignore", "rustfmt.toml"];

/// What is said of a service.
pub struct Judged {
    /// In a word.
    pub outcome: Outcome,
    /// Each way in which it is not what it should be.
    pub faults: Vec<String>,
    /// Files of the kit that were changed, and were put back for the judgement.
    pub changed: Vec<String>,
}

/// What happens meanwhile, in words.
pub type Tell<'a> = &'a (dyn Fn(&str) + Sync);

/// Judges the folder `dir`, a candidate's part of the kit of `name`.
///
/// # Errors
/// When it is none, or of another name, or the surroundings are wrong: one line.
pub async fn verify(root: &Path, name: &str, dir: &Path, on: Tell<'_>) -> anyhow::Result<Judged> {
    let of = Ingredients::read(root, name)?;
    let handed_in = read(dir)?;
    let order = Order { minutes: kit::MINUTES[0], seed: seed(root, name, dir, &handed_in)? };
    let given = kit::candidate(&of, order, of.given())?;
    let (files, changed) = put_back(&given, &handed_in).with_context(|| format!("{}", dir.display()))?;
    let workshop = Workshop::open(root, || on("waiting for another `cargo lab kit --verify`")).await?;
    Ok(Judged { changed, ..judge(&workshop, &of, order, &files, on).await? })
}

/// Builds and runs a kit with these files, and judges its service.
///
/// # Errors
/// When the surroundings are wrong. A service that does not compile or run is judged.
pub async fn judge(
    workshop: &Workshop,
    of: &Ingredients,
    order: Order,
    files: &Files,
    on: Tell<'_>,
) -> anyhow::Result<Judged> {
    let progress = |step: Progress| on(&evidence::words::building(&step.text, step.done, step.total));
    let service = match workshop.build(files, "service", progress).await {
        Ok(service) => service,
        Err(error) => match error.downcast::<DidNotCompile>() {
            Ok(error) => return Ok(failed(error.text.lines().map(str::to_owned).collect())),
            Err(error) => return Err(error),
        },
    };
    let Some(exercise) = &of.exercise else { return by_statement(of, files, &service, on).await };
    let solution = workshop.build(&kit::candidate(of, order, SOLUTION)?, SOLUTION, progress).await?;
    beside(&renamed(exercise, of, order, files)?, service, solution, on).await
}

fn failed(faults: Vec<String>) -> Judged {
    Judged { outcome: Outcome::Failed, faults, changed: Vec::new() }
}

/// Judges the service of a scenario by what the kit states of it.
async fn by_statement(of: &Ingredients, files: &Files, service: &Path, on: Tell<'_>) -> anyhow::Result<Judged> {
    let statement = kit::statement(files, manifest::SIDE)?;
    let tell = |event: pair::Event| {
        if let pair::Event::Sample { sample, .. } = event {
            on(&format!("{} {} done", sample.units_done, statement.units_name()));
        }
    };
    let mut doubts = Vec::new();
    for _ in 0..TRIES {
        let run = match pair::follow(manifest::BIN, service, of.goal(), &[], &tell).await {
            Err(error) if error.is::<NotStarted>() => return Err(error),
            Err(error) => return Ok(failed(format!("{error:#}").lines().map(str::to_owned).collect())),
            Ok(run) => run,
        };
        let verdict = verdict::judge(&run, &statement);
        match verdict.outcome {
            _ if verdict.as_stated() => {
                return Ok(Judged { outcome: Outcome::Passed, faults: Vec::new(), changed: Vec::new() });
            }
            Verdict::CannotTell(reasons) => doubts = reasons,
            Verdict::Differs(reasons) => return Ok(failed(reasons)),
            Verdict::Leaks | Verdict::Converges | Verdict::Bounded => unreachable!("it is as stated"),
        }
    }
    Ok(Judged { outcome: Outcome::TooBusy, faults: doubts, changed: Vec::new() })
}

/// Judges the service of an exercise beside its solution.
async fn beside(exercise: &Exercise, service: PathBuf, solution: PathBuf, on: Tell<'_>) -> anyhow::Result<Judged> {
    let side = manifest::SIDE.to_owned();
    let executables = [(exercise.scenario.bin(&side), service), (exercise.scenario.bin(SOLUTION), solution)].into();
    let units = exercise.scenario.statement.units_name();
    let tell = |event: check::Event| match event {
        check::Event::Sample { side, sample } => on(&format!("{side}: {} {units} done", sample.units_done)),
        check::Event::Again { attempt } => on(&format!("this machine was too busy to tell: try {attempt} of {TRIES}")),
        _ => {}
    };
    let (mut seen, _) = check::built(exercise, &executables, std::slice::from_ref(&side), &tell).await?;
    let seen = seen.remove(&side).context("the service was not run")?;
    let faults = seen.faults.iter().map(|fault| format!("{}: {}", fault.key, fault.sentence)).collect();
    Ok(Judged { outcome: seen.outcome, faults, changed: Vec::new() })
}

/// The exercise in the kit's nouns, with the kit's load.
fn renamed(exercise: &Exercise, of: &Ingredients, order: Order, files: &Files) -> anyhow::Result<Exercise> {
    let (mut exercise, nouns) = (exercise.clone(), order.nouns(&of.facts));
    manifest::PACKAGE.clone_into(&mut exercise.scenario.name);
    exercise.scenario.statement = kit::statement(files, SOLUTION)?;
    let limits = std::mem::take(&mut exercise.facts.limits);
    exercise.facts.limits = limits.into_iter().map(|(name, most)| (nouns.apply(&name), most)).collect();
    Ok(exercise)
}

/// What is in the folder, as far as it is text.
fn read(dir: &Path) -> anyhow::Result<Files> {
    ensure!(dir.is_dir(), "{} is no folder", dir.display());
    let mut files = Files::new();
    read_into(dir, "", &mut files).with_context(|| format!("cannot read {}", dir.display()))?;
    Ok(files)
}

fn read_into(dir: &Path, prefix: &str, files: &mut Files) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            read_into(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= FILE_MAX {
            // What is no text is no source.
            files.extend(fs::read_to_string(entry.path()).ok().map(|text| (format!("{prefix}{name}"), text)));
        }
    }
    Ok(())
}

/// The seed of a kit of `name`.
fn seed(root: &Path, name: &str, dir: &Path, files: &Files) -> anyhow::Result<u64> {
    let dir = dir.display();
    let manifest: Option<Table> = files.get("Cargo.toml").and_then(|text| text.parse().ok());
    let table = manifest.as_ref().and_then(|one| one.get("package")?.get("metadata")?.get(manifest::METADATA));
    let Some(table) = table else {
        bail!("{dir} is no kit: name the folder `{}` of one, with its Cargo.toml", folder::CANDIDATE)
    };
    let id = table.get("id").and_then(Value::as_str).unwrap_or_default();
    if id != manifest::id(name) {
        let all = Catalogue::read(root)?;
        let mut names = all.scenarios.iter().chain(all.exercises.iter().map(|one| &one.scenario)).map(|one| &one.name);
        let other = names.find(|name| manifest::id(name) == id).map_or("another name", String::as_str);
        bail!("{dir} is a kit of {other}, not of {name}");
    }
    let seed = table.get("seed").and_then(Value::as_integer).and_then(|seed| u64::try_from(seed).ok());
    seed.with_context(|| format!("{dir}: `seed` of its Cargo.toml is no number"))
}

/// What is handed in with everything but the service as the kit has it, and what had been changed.
fn put_back(given: &Files, handed_in: &Files) -> anyhow::Result<(Files, Vec<String>)> {
    ensure!(handed_in.contains_key(MAIN), "{MAIN} is missing");
    let is_free = |path: &str| FREE.contains(&path) || path.starts_with(".cargo/") || path == "Cargo.toml";
    let mut changed = Vec::new();
    for (path, text) in given.iter().filter(|(path, _)| !is_free(path)) {
        match handed_in.get(path) {
            None => changed.push(format!("{path} is gone")),
            Some(there) if there != text => changed.push(format!("{path} was changed")),
            Some(_) => {}
        }
    }
    // New files of the service, and tests, stay; new ones of the harness cannot be reached.
    let own = handed_in.iter().filter(|(path, _)| FREE.contains(&path.as_str()) || path.starts_with("src/"));
    let mut files: Files = own.map(|(path, text)| (path.clone(), text.clone())).collect();
    files.extend(
        given
            .iter()
            .filter(|(path, _)| !FREE.contains(&path.as_str()))
            .map(|(path, text)| (path.clone(), text.clone())),
    );
    if !files.contains_key("Cargo.lock") {
        files.extend(given.get("Cargo.lock").map(|text| ("Cargo.lock".to_owned(), text.clone())));
    }
    let (manifest, is_changed) = merged(&given["Cargo.toml"], &handed_in["Cargo.toml"])?;
    files.insert("Cargo.toml".to_owned(), manifest);
    changed.extend(is_changed.then(|| "Cargo.toml was changed in more than its dependencies".to_owned()));
    Ok((files, changed))
}

/// The kit's manifest with the dependencies of another, and whether that one differs in anything else.
fn merged(given: &str, handed_in: &str) -> anyhow::Result<(String, bool)> {
    let (mut manifest, other): (Table, Table) = (given.parse()?, handed_in.parse().context("Cargo.toml")?);
    let mut asked = |path: &[&str]| {
        let (last, folders) = path.split_last()?;
        let theirs = folders.iter().try_fold(&other, |table, name| table.get(*name)?.as_table())?.get(*last)?.clone();
        let ours = folders.iter().try_fold(&mut manifest, |table, name| table.get_mut(*name)?.as_table_mut())?;
        ours.insert((*last).to_owned(), theirs)
    };
    asked(&["dependencies"]);
    asked(&["workspace", "dependencies"]);
    let dependencies = other.get("dev-dependencies").cloned();
    manifest.extend(dependencies.map(|all| ("dev-dependencies".to_owned(), all)));
    Ok((manifest.to_string(), manifest != other))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "[package]\nname = 'interview'\n[dependencies]\na = '1'\n[workspace.dependencies]\na = '1'\n\
        [package.metadata.lab]\nunits = 4\n";

    fn files(all: &[(&str, &str)]) -> Files {
        all.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn another_crate_is_kept_and_another_goal_is_not() {
        let more = GIVEN.replace("[workspace", "b = '2'\n[workspace");
        let (manifest, changed) = merged(GIVEN, &more).unwrap();
        assert!(manifest.contains("b = \"2\"") && !changed);
        let (manifest, changed) = merged(GIVEN, &GIVEN.replace("units = 4", "units = 1")).unwrap();
        assert!(manifest.contains("units = 4") && changed);
    }

    #[test]
    fn the_world_is_put_back_and_new_files_of_the_service_stay() {
        let given = files(&[("Cargo.toml", GIVEN), (MAIN, "old"), ("src/world.rs", "world"), ("harness/a.rs", "a")]);
        let handed_in = files(&[
            ("Cargo.toml", GIVEN),
            (MAIN, "new"),
            ("src/world.rs", "easy"),
            ("src/pool.rs", "pool"),
            ("notes.txt", "x"),
        ]);
        let (files, changed) = put_back(&given, &handed_in).unwrap();
        assert_eq!(changed, ["harness/a.rs is gone", "src/world.rs was changed"]);
        let named = [MAIN, "src/world.rs", "src/pool.rs", "harness/a.rs"].map(|path| files[path].as_str());
        assert_eq!(named, ["new", "world", "pool", "a"]);
        assert!(!files.contains_key("notes.txt"));
        assert!(put_back(&given, &Files::new()).unwrap_err().to_string().contains("src/main.rs is missing"));
    }
}
