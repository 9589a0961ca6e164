//! What a guard is worth, from what its tests said on the given service and on the reader's copy. Pure.

use serde::Serialize;

use super::said::{self, End, Panic, Test};
use crate::cargo::DidNotCompile;

/// What a guard is to tell.
pub(crate) struct Tried<'a> {
    /// The lines of `start.rs` that spawn what stays.
    pub(crate) lines: &'a Lines,
    /// No task stays, so the guard's own assertion counts as a report.
    pub(crate) by_assertion: bool,
    /// The reader's copy is still the service as it is given.
    pub(crate) unchanged: bool,
}

/// Lines of `start.rs`.
#[derive(Clone, Debug)]
pub(crate) enum Lines {
    /// Whichever: what they are is not known yet.
    Any,
    /// These.
    These(Vec<usize>),
}

impl Lines {
    /// `exercises/x/start.rs:76:13` is line 76 of `start.rs`.
    fn have(&self, place: &str) -> bool {
        let Some((_, rest)) = place.rsplit_once("/start.rs:") else { return false };
        let line = rest.split(':').next().and_then(|line| line.parse().ok());
        match self {
            Self::Any => line.is_some(),
            Self::These(lines) => line.is_some_and(|line| lines.contains(&line)),
        }
    }
}

/// How a test program ended.
#[derive(Clone, Debug)]
pub(crate) enum Ran {
    /// By itself, with what it said on standard output, and how it ended.
    Ended { said: String, ending: String },
    /// It was ended after so many seconds.
    Hung { seconds: u64 },
}

/// What a guard is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// It tells the leak from the reader's copy.
    Guards,
    /// It passes on both.
    AssertsNothing,
    /// It fails on both, and not because the copy still leaks.
    FailsOnBoth,
    /// It fails on the reader's copy, which still keeps tasks.
    StillLeaks,
    /// It passes on the leak and fails on the copy.
    TurnedAround,
    /// There is no test in it.
    NoTest,
    /// It does not compile.
    NotBuilt,
    /// It fails on the leak by something that is no report.
    NoReport,
    /// It fails on the leak with a report that names none of the lines.
    OtherLine,
    /// It does not end.
    Hangs,
    /// It ends the test program.
    Dies,
    /// It is ignored.
    Ignored,
    /// It is meant to panic.
    ShouldPanic,
    /// It asks which program it is in, or writes the report itself.
    Pretends,
}

/// What a guard is worth, and why, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// What it is worth.
    pub worth: Worth,
    /// Why, and what to do.
    pub sentence: String,
    /// The compiler's words, where it does not compile.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compiler: String,
}

impl Judged {
    pub(crate) fn new(worth: Worth, sentence: impl Into<String>) -> Self {
        Self { worth, sentence: sentence.into(), compiler: String::new() }
    }

    /// What does not compile, with the first of the compiler's errors.
    pub(crate) fn not_built(what: &str, not: &DidNotCompile) -> Self {
        let sentence = format!("{what} does not compile: {}", not.first());
        Self { compiler: not.text.clone(), ..Self::new(Worth::NotBuilt, sentence) }
    }
}

/// What asks for the name of the program, in code.
const ASKS: [&str; 5] = ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "current_exe", "env::args", "module_path!"];

/// What the guard is worth in itself; none where only a run tells.
pub(crate) fn at_sight(source: &str) -> Option<Judged> {
    let code = code(source);
    if !code.contains("test]") && !code.contains("test(") {
        return Some(Judged::new(Worth::NoTest, "there is no test in guard.rs: write one `#[leakcheck::test]`"));
    }
    if let Some(what) = ASKS.iter().find(|what| code.contains(**what)) {
        let text = format!("the guard asks which program it is in (`{what}`): it must see the leak itself");
        return Some(Judged::new(Worth::Pretends, text));
    }
    // First of these two: its `expected` may quote a report.
    if code.contains("should_panic") {
        let text = "`#[should_panic]` makes a leak the good case: remove it, the guard must fail on start.rs";
        return Some(Judged::new(Worth::ShouldPanic, text));
    }
    code.contains("\"leak: ").then(|| {
        Judged::new(Worth::Pretends, "the guard writes the report itself (`\"leak: …\"`): it must be leakcheck's own")
    })
}

/// What the guard is worth, by its run on `start` and on `mine`.
pub(crate) fn judge(tried: &Tried<'_>, start: &Ran, mine: &Ran) -> Judged {
    let (start, mine) = match (ended("start.rs", start), ended("your copy", mine)) {
        (Ok(start), Ok(mine)) => (start, mine),
        (Err(judged), _) | (_, Err(judged)) => return judged,
    };
    if let Some(judged) = no_tests(&start, &mine) {
        return judged;
    }
    let failed = |tests: &[Test]| tests.iter().find(|test| test.end == End::Failed).cloned();
    match (failed(&start), failed(&mine)) {
        (None, None) => asserts_nothing(&start),
        (None, Some(mine)) => Judged::new(
            Worth::TurnedAround,
            format!(
                "the guard passes on start.rs and fails on your copy ({}): it must be the other way round",
                short(&mine)
            ),
        ),
        (Some(start), Some(mine)) => on_both(tried, &start, &mine),
        (Some(_), None) => on_start_alone(tried, &start),
    }
}

/// What a guard of a service is worth in which nothing stays: it passes on both, and fails on a copy that was made worse.
pub(crate) fn judge_healthy(start: &Ran, mine: &Ran, worse: Option<(&str, &Ran)>) -> Judged {
    let (start, mine) = match (ended("start.rs", start), ended("your copy", mine)) {
        (Ok(start), Ok(mine)) => (start, mine),
        (Err(judged), _) | (_, Err(judged)) => return judged,
    };
    if let Some(judged) = no_tests(&start, &mine) {
        return judged;
    }
    let failed = |tests: &[Test]| tests.iter().find(|test| test.end == End::Failed).cloned();
    match (failed(&start), failed(&mine), worse) {
        (Some(test), _, _) => Judged::new(
            Worth::FailsOnBoth,
            format!("the guard fails on start.rs ({}), where nothing stays that must not", short(&test)),
        ),
        (None, Some(test), _) => {
            Judged::new(Worth::StillLeaks, format!("the guard fails on your copy: {}", short(&test)))
        }
        (None, None, None) => Judged::new(Worth::Guards, "the guard passes on start.rs and on your copy"),
        (None, None, Some((name, ran))) => match ended(name, ran) {
            Err(judged) => judged,
            Ok(tests) => match failed(&tests) {
                Some(test) => Judged::new(
                    Worth::Guards,
                    format!(
                        "the guard passes on start.rs and on your copy, and fails on a copy that keeps too much: {}",
                        short(&test)
                    ),
                ),
                None => Judged::new(
                    Worth::AssertsNothing,
                    "the guard passes on a copy that keeps too much, too: assert what the most is that may stay",
                ),
            },
        },
    }
}

/// The tests of a run that came to its end.
fn ended(place: &str, ran: &Ran) -> Result<Vec<Test>, Judged> {
    match ran {
        Ran::Hung { seconds } => Err(Judged::new(
            Worth::Hangs,
            format!("the guard hangs: on {place} it had not ended after {seconds} s, and was ended"),
        )),
        Ran::Ended { said, .. } if said::is_whole(said) => Ok(said::tests(said)),
        Ran::Ended { ending, .. } => Err(Judged::new(
            Worth::Dies,
            format!("the guard takes the whole test program along: on {place} it {ending} in the middle of the test"),
        )),
    }
}

/// Where the tests are none, or do not count.
fn no_tests(start: &[Test], mine: &[Test]) -> Option<Judged> {
    if start.is_empty() || mine.is_empty() {
        return Some(Judged::new(Worth::NoTest, "there is no test in guard.rs: write one `#[leakcheck::test]`"));
    }
    let all_ignored = |tests: &[Test]| tests.iter().all(|test| test.end == End::Ignored);
    (all_ignored(start) || all_ignored(mine))
        .then(|| Judged::new(Worth::Ignored, "the guard is ignored, so it never runs: remove `#[ignore]`"))
}

fn asserts_nothing(start: &[Test]) -> Judged {
    let text = if start.iter().any(|test| test.prints_report) {
        "the guard passes on both: it prints the report and asserts nothing; `assert()` instead of `find()` fails on a leak"
    } else {
        "the guard passes on both, so it asserts nothing that the leak breaks: take the path that leaks, and `assert` while the service lives"
    };
    Judged::new(Worth::AssertsNothing, text)
}

fn on_both(tried: &Tried<'_>, start: &Test, mine: &Test) -> Judged {
    let keeps: Vec<_> =
        mine.panic.iter().flat_map(Panic::spawned_at).filter(|place| place.contains("/mine.rs:")).collect();
    if let Some(place) = keeps.first() {
        let copy = if tried.unchanged {
            "your copy is still the service as it is given"
        } else {
            "your copy still keeps tasks"
        };
        return Judged::new(
            Worth::StillLeaks,
            format!("the guard fails on start.rs, and on your copy too: {copy}, spawned at {place}"),
        );
    }
    let world = mine.panic.iter().flat_map(Panic::spawned_at).any(|place| place.contains("/world.rs:"));
    let why = match (world, start.panic == mine.panic) {
        (true, _) => {
            ": its report names world.rs, whose peers may stay; begin a `leakcheck::scope()` after `World::open()`"
        }
        (false, true) => " for one and the same reason",
        (false, false) => "",
    };
    Judged::new(Worth::FailsOnBoth, format!("the guard fails on both{why}: {}", short(mine)))
}

/// It fails on `start` and passes on the copy, as it should: is it for the leak?
fn on_start_alone(tried: &Tried<'_>, start: &[Test]) -> Judged {
    let panics: Vec<_> =
        start.iter().filter(|test| test.end == End::Failed).filter_map(|test| test.panic.as_ref()).collect();
    let named = |panic: &&Panic| {
        panic.spawned_at().find(|place| panic.is_report() && tried.lines.have(place)).map(str::to_owned)
    };
    if let Some(place) = panics.iter().find_map(named) {
        let text = format!("the guard fails on start.rs with a report that names {place}, and passes on your copy");
        return Judged::new(Worth::Guards, text);
    }
    let asserted = |panic: &&Panic| panic.at.contains("/guard.rs:") && !panic.message.starts_with("called `");
    if tried.by_assertion
        && let Some(panic) = panics.iter().copied().find(asserted)
    {
        let text =
            format!("the guard fails on start.rs with its own assertion ({}), and passes on your copy", panic.line());
        return Judged::new(Worth::Guards, text);
    }
    let report = panics.iter().copied().find(|panic| panic.is_report());
    match (report, panics.first()) {
        (Some(report), _) => {
            let places: Vec<_> = report.spawned_at().collect();
            let named = if places.is_empty() { "no line".to_owned() } else { places.join(", ") };
            Judged::new(
                Worth::OtherLine,
                format!(
                    "the guard fails on start.rs with a report that names {named}, and not the line that spawns what stays"
                ),
            )
        }
        (None, Some(panic)) => Judged::new(
            Worth::NoReport,
            format!(
                "the guard fails on start.rs by no report of leakcheck ({}): let `assert()` say which line it was",
                panic.line()
            ),
        ),
        (None, None) => {
            Judged::new(Worth::NoReport, "the guard fails on start.rs without a panic, and so without a report")
        }
    }
}

/// Why a test failed, in a few words.
fn short(test: &Test) -> String {
    test.panic.as_ref().map_or_else(|| format!("{} failed without a panic", test.name), Panic::line)
}

/// The lines that are no comment.
fn code(source: &str) -> String {
    let lines = source.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
