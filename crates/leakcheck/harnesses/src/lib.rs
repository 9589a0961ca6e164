//! What the suites here have in common. A test that leaks has to fail, so such tests are ignored; another test runs them in
//! a process of their own, and holds what they say against what must stand there.

use std::process::Command;

/// What a run of ignored tests printed.
pub struct Outcome {
    text: String,
}

/// Runs the ignored tests of this very program whose names contain `filter`.
pub fn run_ignored(filter: &str) -> Outcome {
    let own = std::env::current_exe().expect("a program knows where it is");
    let mut command = Command::new(own);
    command.args(["--ignored", filter]).env("RUST_BACKTRACE", "0").env("RUST_LOG", "info").env("INSTA_UPDATE", "no");
    Outcome::of(&mut command)
}

impl Outcome {
    /// What a command printed on both streams.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the command can be started");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Self { text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks how many passed and how many failed.
    #[track_caller]
    pub fn counts(&self, passed: usize, failed: usize) {
        let counts = format!("{passed} passed; {failed} failed");
        assert!(self.text.contains(&counts), "not {counts}:\n{}", self.text);
    }

    /// Checks that the output of one failed test has these parts, each behind the one before.
    #[track_caller]
    pub fn says(&self, test: &str, parts: &[&str]) {
        let begin = format!("---- {test} stdout ----");
        let Some((_, rest)) = self.text.split_once(&begin) else { panic!("{test} did not fail:\n{}", self.text) };
        let mut rest = rest.split("\n---- ").next().unwrap_or(rest);
        for part in parts {
            let Some((_, behind)) = rest.split_once(part) else { panic!("no {part:?} in\n{rest}\nof {test}") };
            rest = behind;
        }
    }
}

/// How a report names the line of this file that ends with `// LEAK: ` and the name.
#[macro_export]
macro_rules! spawned_at {
    ($name:literal) => {
        $crate::spawned_at(file!(), include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", file!())), $name)
    };
}

#[doc(hidden)]
pub fn spawned_at(file: &str, source: &str, name: &str) -> String {
    let mark = format!("// LEAK: {name}");
    let mut marked = source.lines().enumerate().filter(|(_, line)| line.ends_with(&mark));
    let (Some((index, _)), None) = (marked.next(), marked.next()) else { panic!("not one line is marked {name}") };
    format!("1 task spawned at {file}:{}:", index + 1)
}
