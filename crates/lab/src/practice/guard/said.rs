//! What a test program said, in libtest's words: each test of the guard with its end and its panic. Pure.

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Passed,
    Failed,
    Ignored,
}

/// One test of the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) end: End,
    /// Its last panic; none where it failed otherwise, or did not fail.
    pub(crate) panic: Option<Panic>,
    /// A report of `leakcheck` is among what it printed.
    pub(crate) prints_report: bool,
}

/// A panic, as the standard hook prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    /// `file:line:column`.
    pub(crate) at: String,
    /// Its lines, until an empty one.
    pub(crate) message: String,
}

impl Panic {
    /// The message is a report of `leakcheck`.
    pub(crate) fn is_report(&self) -> bool {
        self.message.starts_with("leak: ")
    }

    /// Where what is left was spawned, as the report says.
    pub(crate) fn spawned_at(&self) -> impl Iterator<Item = &str> {
        let lines =
            self.message.lines().filter(|line| !line.contains("by the task spawned") && !line.contains("there once"));
        let place = |line: &'_ str| -> Option<usize> { Some(line.find("spawned at ")? + "spawned at ".len()) };
        lines.filter_map(move |line| {
            let rest = &line[place(line)?..];
            rest.split_whitespace().next().map(|place| place.trim_end_matches(':'))
        })
    }

    /// The message, in one line.
    pub(crate) fn line(&self) -> String {
        let lines: Vec<_> = self.message.lines().map(str::trim).collect();
        lines.join("; ")
    }
}

/// The tests of a run, in its order.
pub(crate) fn tests(output: &str) -> Vec<Test> {
    let ends = output.lines().filter_map(|line| {
        let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        let end = match end.split(',').next()? {
            "ok" => End::Passed,
            "FAILED" => End::Failed,
            "ignored" => End::Ignored,
            _ => return None,
        };
        let name = name.trim_end_matches(" - should panic");
        let said = section(output, name);
        let prints_report = said.lines().any(|line| line.contains("leak: "));
        Some(Test { name: name.to_owned(), end, panic: panics(said).pop(), prints_report })
    });
    ends.collect()
}

/// True when the run came to its end.
pub(crate) fn is_whole(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("test result: "))
}

/// What one test printed.
fn section<'a>(output: &'a str, name: &str) -> &'a str {
    let head = format!("\n---- {name} stdout ----\n");
    let Some((_, rest)) = output.split_once(&head) else { return "" };
    let ends = ["\n---- ", "\nfailures:\n", "\nsuccesses:\n"].into_iter().filter_map(|end| rest.find(end));
    &rest[..ends.min().unwrap_or(rest.len())]
}

fn panics(said: &str) -> Vec<Panic> {
    let (mut found, mut lines) = (Vec::new(), said.lines().peekable());
    while let Some(line) = lines.next() {
        let Some(at) = panicked_at(line) else { continue };
        let mut message = Vec::new();
        let goes_on = |line: &&str| !line.is_empty() && !line.starts_with("note: ") && panicked_at(line).is_none();
        while let Some(line) = lines.next_if(goes_on) {
            message.push(line);
        }
        found.push(Panic { at: at.trim_end_matches(':').to_owned(), message: message.join("\n") });
    }
    found
}

/// `thread 'guard::a' (7) panicked at a.rs:1:2:` → the place.
fn panicked_at(line: &str) -> Option<&str> {
    Some(line.strip_prefix("thread '")?.split_once(" panicked at ")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nrunning 3 tests\ntest guard::a ... FAILED\ntest guard::b - should panic ... ok\n\
        test guard::c ... ignored, too slow\n\nfailures:\n\n---- guard::a stdout ----\nleak: only printed\n\n\
        thread 'other' (3) panicked at start.rs:1:2:\noops\nthread 'guard::a' (7) panicked at exercises/x/guard.rs:9:1:\n\
        leak: 3 tasks left\n  2 tasks spawned at exercises/x/start.rs:76:13: parked; under 1 s old\n    \
        2 by the task spawned at exercises/x/start.rs:70:1\n  1 task spawned at a-1.0/b.rs:3:4: live; oldest 2 s\n\n\
        note: run with `RUST_BACKTRACE=1`\n\n\nfailures:\n    guard::a\n\ntest result: FAILED. 1 passed; 1 failed;\n";

    #[test]
    fn each_test_has_its_end_and_its_last_panic() {
        let tests = tests(OUTPUT);
        let ends: Vec<_> = tests.iter().map(|test| (&*test.name, test.end)).collect();
        assert_eq!(ends, [("guard::a", End::Failed), ("guard::b", End::Passed), ("guard::c", End::Ignored)]);
        let panic = tests[0].panic.as_ref().unwrap();
        assert_eq!(panic.at, "exercises/x/guard.rs:9:1");
        assert!(panic.is_report());
        assert_eq!(panic.spawned_at().collect::<Vec<_>>(), ["exercises/x/start.rs:76:13", "a-1.0/b.rs:3:4"]);
        assert!(is_whole(OUTPUT) && !is_whole("running 1 test\ntest guard::a ... "));
    }

    #[test]
    fn a_report_of_a_trend_names_the_lines_that_grow() {
        let message = "leak: 6 left after 4 operations, 18 after 16\n  1.00 for each operation, 2 there once\n  \
            0.75 for each operation spawned at exercises/x/start.rs:76:13\n  2 there once spawned at w.rs:1:1";
        let panic = Panic { at: String::new(), message: message.into() };
        assert_eq!(panic.spawned_at().collect::<Vec<_>>(), ["exercises/x/start.rs:76:13"]);
    }
}
