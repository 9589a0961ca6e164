//! The leaks that a suite had when it adopted leakcheck: a text file, which only people make longer.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    data::{Left, Test},
    exclusive::{Exclusive, replace},
};

/// A line, for the messages.
const EXAMPLE: &str = "tests/pool.rs | the_pool_closes | src/pool.rs:17 | 2";
/// How a new file begins.
pub(super) const HEAD: &str = "\
# What the tests left behind when this suite adopted leakcheck: test | its name | spawn line | tasks at most.
# This file may only shrink. LEAKCHECK=shrink removes what is no longer needed.
";

/// The file as this process found it, before anything was removed.
#[derive(Debug)]
pub(super) struct Baseline {
    path: PathBuf,
    entries: BTreeMap<Test, BTreeMap<String, usize>>,
}

impl Baseline {
    pub(super) fn read(path: PathBuf) -> Result<Self, String> {
        let text = fs::read_to_string(&path).map_err(|error| {
            let (shown, here) = (path.display(), std::env::current_dir().unwrap_or_default());
            format!(
                "cannot read the baseline LEAKCHECK_BASELINE={shown} in {}: {error}; make the file with `cargo leakcheck test` \
                 and `cargo leakcheck baseline {shown}`, or an empty one",
                here.display()
            )
        })?;
        let mut entries = BTreeMap::<Test, BTreeMap<String, usize>>::new();
        for (number, line) in text.lines().enumerate() {
            let refuse = |why| format!("{}:{}: {why}; write \"{EXAMPLE}\"", path.display(), number + 1);
            let Some((test, spawned, tasks)) = parse(line).map_err(refuse)? else { continue };
            if entries.entry(test).or_default().insert(spawned.to_owned(), tasks).is_some() {
                return Err(refuse("this test and spawn line are there already"));
            }
        }
        Ok(Self { path, entries })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn shown(&self) -> impl std::fmt::Display {
        self.path.display()
    }

    /// The tests that it lists.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Test, &str, usize)> {
        self.entries.iter().flat_map(|(test, lines)| lines.iter().map(move |(line, tasks)| (test, &**line, *tasks)))
    }

    /// What the test left beyond the baseline, as the end of its report; `None` if it left no more than is listed.
    pub(super) fn beyond(&self, test: &Test, left: &Left) -> Option<String> {
        let beyond = left.iter().filter(|(line, group)| group.tasks > self.listed(test, line));
        let lines = beyond.map(|(line, group)| match self.listed(test, line) {
            0 => format!("    {}\n", entry(test, line, group.tasks)),
            listed => format!("    {} (it lists {listed})\n", entry(test, line, group.tasks)),
        });
        let lines: String = lines.collect();
        (!lines.is_empty()).then(|| format!("  not in the baseline {}:\n{lines}", self.shown()))
    }

    /// A line for each entry that lists more than the test left.
    pub(super) fn unneeded(&self, test: &Test, seen: &Left) -> Vec<String> {
        let Some(entries) = self.entries.get(test) else { return Vec::new() };
        let less = |(line, listed): (&String, &usize)| {
            let needed = needed(seen, line);
            let what = match needed {
                0 => "is no longer needed; remove it".to_owned(),
                needed => format!("needs only {needed}; change it"),
            };
            (needed < *listed).then(|| {
                let path = self.shown();
                format!("{path}: \"{}\" {what}, or run with LEAKCHECK=shrink", entry(test, line, *listed))
            })
        };
        entries.iter().filter_map(less).collect()
    }

    /// Takes from the file what the test no longer needs. Tests in other processes wait meanwhile.
    pub(super) fn shrink(&self, test: &Test, seen: &Left) -> Result<(), String> {
        let Some(entries) = self.entries.get(test) else { return Ok(()) };
        // Never more than was listed when this process began. It may be more than the file has now, if the test runs again.
        let kept = entries.iter().map(|(line, listed)| (line, needed(seen, line).min(*listed)));
        let kept: Vec<_> = kept.filter(|(_, tasks)| *tasks > 0).map(|(line, tasks)| entry(test, line, tasks)).collect();
        let shrink = || {
            let _exclusive = Exclusive::over(&self.path)?;
            let before = fs::read_to_string(&self.path)?;
            let after = with_lines_of(&before, test, &kept);
            if before == after { Ok(()) } else { replace(&self.path, &after) }
        };
        shrink().map_err(|error: io::Error| format!("cannot shrink the baseline {}: {error}", self.shown()))
    }

    fn listed(&self, test: &Test, line: &str) -> usize {
        self.entries.get(test).and_then(|entries| entries.get(line)).copied().unwrap_or(0)
    }
}

fn needed(seen: &Left, line: &str) -> usize {
    seen.get(line).map_or(0, |group| group.tasks)
}

/// A line of the file.
pub(super) fn entry(test: &Test, line: &str, tasks: usize) -> String {
    format!("{test} | {line} | {tasks}")
}

/// Reads a line; `None` for a comment and for an empty one.
fn parse(line: &str) -> Result<Option<(Test, &str, usize)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    // From the right, since only a test's name may have such a separator in it.
    let mut parts = line.rsplitn(3, " | ");
    let (Some(tasks), Some(spawned), Some(test)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("a line has four parts");
    };
    let Some((file, name)) = test.split_once(" | ") else { return Err("a line has four parts") };
    match tasks.parse() {
        Ok(tasks) if tasks > 0 => Ok(Some((Test { file: file.to_owned(), name: name.to_owned() }, spawned, tasks))),
        _ => Err("the last part is a number of tasks, from 1"),
    }
}

/// The text with these lines in the place of the test's lines.
fn with_lines_of(before: &str, test: &Test, lines: &[String]) -> String {
    let of = |line: &str| parse(line).ok().flatten().map(|(test, ..)| test);
    let is_own = |line: &&str| of(line).as_ref() == Some(test);
    let (own, others): (Vec<_>, Vec<_>) = before.lines().partition(is_own);
    if own == lines {
        return before.to_owned();
    }
    let later = |line: &str| of(line).is_some_and(|other| other > *test);
    let place = match before.lines().position(|line| is_own(&line)) {
        Some(first) => first,
        None => others.iter().position(|line| later(line)).unwrap_or(others.len()),
    };
    let (above, below) = others.split_at(place);
    let all = above.iter().copied().chain(lines.iter().map(String::as_str)).chain(below.iter().copied());
    all.map(|line| format!("{line}\n")).collect()
}
