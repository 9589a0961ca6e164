//! `cargo leakcheck`: runs a suite, and prints what its tests left.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use super::{
    baseline::{Baseline, HEAD, entry},
    data::Test,
    exclusive::{beside, replace},
    run::{self, Record},
    table::Table,
};

const USAGE: &str = "\
cargo leakcheck: what the tests of a suite leave behind

cargo leakcheck test …          runs `cargo test …` with LEAKCHECK=report, then prints the table
cargo leakcheck nextest run …   the same with nextest, or with any other command of cargo's
cargo leakcheck table           the table of the last run
cargo leakcheck baseline FILE   writes what the last run left into a baseline file, and tells the lines that are new in it
cargo leakcheck baseline        prints it instead

With LEAKCHECK_BASELINE=leakcheck-baseline.txt, tests may leave what is listed, and no more.
With LEAKCHECK=shrink too, what is no longer needed is removed from the file.
";

/// Runs the command, with the arguments of this process.
pub(crate) fn main() -> ExitCode {
    // Called as `cargo leakcheck`, the first argument is `leakcheck`.
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let arguments = match &arguments[..] {
        [first, rest @ ..] if first == "leakcheck" => rest,
        all => all,
    };
    let done = match arguments.first().and_then(|first| first.to_str()) {
        None | Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some("table") if arguments.len() == 1 => path().and_then(table).map(|()| ExitCode::SUCCESS),
        Some("baseline") if arguments.len() <= 2 => {
            let file = arguments.get(1).map(Path::new);
            path().and_then(|path| baseline(&path, file)).map(|()| ExitCode::SUCCESS)
        }
        Some("table" | "baseline") => Err(format!("too many arguments\n\n{USAGE}")),
        Some(_) => path().and_then(|path| run_and_tell(arguments, path)),
    };
    done.unwrap_or_else(|why| {
        eprintln!("cargo leakcheck: {why}");
        ExitCode::FAILURE
    })
}

/// Runs cargo with these arguments, and prints the table of that run.
fn run_and_tell(arguments: &[OsString], path: PathBuf) -> Result<ExitCode, String> {
    // A run in which no test checks anything must not show the table of the run before, and must not cost it either.
    let before = beside(&path, ".before");
    let moved = |error: &io::Error| error.kind() != io::ErrorKind::NotFound;
    if let Err(error) = fs::rename(&path, &before).or_else(|error| if moved(&error) { Err(error) } else { Ok(()) }) {
        return Err(format!("cannot move {}: {error}", path.display()));
    }
    let mut cargo = Command::new(cargo());
    if env::var_os("LEAKCHECK").is_none_or(|mode| mode.is_empty()) {
        cargo.env("LEAKCHECK", "report");
    }
    let status = cargo.args(arguments).env("LEAKCHECK_REPORT", &path).status();
    let status = status.map_err(|error| format!("cargo does not start: {error}"))?;
    if !path.exists() {
        let kept = match fs::rename(&before, &path) {
            Ok(()) => "; what `table` and `baseline` tell is still the run before",
            Err(_) => "",
        };
        return Err(format!("no test of this run was checked{kept}"));
    }
    let _ = fs::remove_file(&before);
    println!();
    table(path)?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

fn table(path: PathBuf) -> Result<(), String> {
    let record = read(&path)?;
    let baseline = record.baseline.clone().map(Baseline::read).transpose()?;
    print!("{}", Table { record: &record, baseline: baseline.as_ref() });
    Ok(())
}

fn baseline(path: &Path, file: Option<&Path>) -> Result<(), String> {
    let record = read(path)?;
    let entries: Vec<_> = Table { record: &record, baseline: None }.entries().collect();
    let text = HEAD.to_owned() + &entries.iter().map(|entry| format!("{entry}\n")).collect::<String>();
    let Some(file) = file else {
        print!("{text}");
        return Ok(());
    };
    // It may only shrink by itself. Whoever lets it grow is told by how much.
    let before = if file.exists() { Some(Baseline::read(file.to_owned())?) } else { None };
    let listed = |(test, line, tasks): (&Test, &str, usize)| entry(test, line, tasks);
    let listed: Option<BTreeSet<_>> = before.as_ref().map(|before| before.entries().map(listed).collect());
    replace(file, &text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    for new in entries.iter().filter(|entry| listed.as_ref().is_some_and(|listed| !listed.contains(*entry))) {
        eprintln!("new in {}: {new}", file.display());
    }
    Ok(())
}

fn read(path: &Path) -> Result<Record, String> {
    Record::read(path).map_err(|error| {
        let path = path.display();
        format!("no run to tell of in {path} ({error}): run the tests first, with `cargo leakcheck test`")
    })
}

/// Where the tests write what they found.
fn path() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("LEAKCHECK_REPORT").filter(|path| !path.is_empty()) {
        // A relative path means another folder for each package's tests.
        return std::path::absolute(path).map_err(|error| format!("LEAKCHECK_REPORT is no path: {error}"));
    }
    let output = Command::new(cargo()).args(["metadata", "--no-deps", "--format-version", "1"]).output();
    let output = output.map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let target = target_directory(&String::from_utf8_lossy(&output.stdout));
    target
        .map(|target| run::in_target(&target))
        .ok_or("cargo metadata names no target directory: set LEAKCHECK_REPORT".into())
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The value of `target_directory`, the only such key at any depth of the JSON text.
fn target_directory(json: &str) -> Option<PathBuf> {
    let (_, rest) = json.split_once("\"target_directory\":\"")?;
    let mut path = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return Some(path.into()),
            // What a path has in it is escaped by one more letter, which stands for itself: `\\`, `\"` and `\/`.
            '\\' => path.push(letters.next()?),
            letter => path.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_is_found() {
        for (json, path) in [
            (r#"{"packages":[],"target_directory":"/home/me/a b/target","version":1}"#, Some("/home/me/a b/target")),
            (r#"{"target_directory":"C:\\me\\target"}"#, Some("C:\\me\\target")),
            (r#"{"target":"x"}"#, None),
        ] {
            assert_eq!(target_directory(json), path.map(PathBuf::from), "{json}");
        }
    }
}
