//! Which spawn locations are meant to stay.

use std::{fmt, path::Path};

/// A spawn site whose tasks may outlive what is checked.
///
/// An allowance has one of three forms:
///
/// - `"src/metrics.rs"`: a file. Whole path components are compared from the end, so `metrics.rs` does not cover
///   `my_metrics.rs`.
/// - `"src/metrics.rs:17"`: one line of a file.
/// - `"hyper-util"`: a crate, wherever cargo has put it: a registry, a git checkout, or a folder of your workspace.
///
/// With [`at_most`](Self::at_most) it covers so many tasks and no more: an executor that all of a program's parts share would
/// hide every leak otherwise.
///
/// Guarantee: an allowance covers spawn locations, never rendered text, and the report says how many tasks each allowance
/// covered. Gap: a task that a daemon spawns elsewhere is not covered; and which tasks are beyond a number, their age says
/// and not their purpose. Rival: goleak's `IgnoreTopFunction` matches the
/// frame a goroutine waits in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    text: String,
    pattern: Pattern,
    at_most: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    File { path: String, line: Option<u32> },
    Crate(String),
}

impl Allow {
    /// Reads an allowance.
    ///
    /// # Errors
    ///
    /// If the text is empty, or its line is no number.
    pub fn parse(text: &str) -> Result<Self, AllowError> {
        let refuse = |why| Err(AllowError { text: text.to_owned(), why });
        if text.trim().is_empty() || text.trim() != text {
            return refuse("it is empty or has blanks around it");
        }
        let (path, line) = match text.rsplit_once(':') {
            Some((path, line)) if path.ends_with(".rs") => match line.parse() {
                Ok(line) if line > 0 => (path, Some(line)),
                _ => return refuse("after the colon comes a line number"),
            },
            _ => (text, None),
        };
        let pattern = if path.ends_with(".rs") {
            Pattern::File { path: path.replace('\\', "/"), line }
        } else if path.chars().all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_') {
            Pattern::Crate(path.replace('_', "-"))
        } else {
            return refuse("a file ends in `.rs`, and a crate's name has no `/`, `:` or `.`");
        };
        Ok(Self { text: text.to_owned(), pattern, at_most: None })
    }

    /// The allowance for this many tasks at most. In a scope, the tasks of the scope count.
    ///
    /// ```
    /// let allowance = leakcheck::Allow::parse("hyper-util")?.at_most(1)?;
    /// assert_eq!(allowance.to_string(), "hyper-util, at most 1");
    /// # Ok::<(), leakcheck::AllowError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the number is 0, since such an allowance allows nothing.
    pub fn at_most(self, tasks: usize) -> Result<Self, AllowError> {
        match tasks {
            0 => Err(AllowError {
                text: self.text,
                why: "at most 0 allows nothing: give no allowance, or a number from 1",
            }),
            _ => Ok(Self { at_most: Some(tasks), ..self }),
        }
    }

    /// How many tasks the allowance covers.
    pub(crate) fn limit(&self) -> usize {
        self.at_most.unwrap_or(usize::MAX)
    }

    /// The allowance as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the allowance covers tasks that are spawned at this line.
    pub(crate) fn covers(&self, file: &str, line: u32) -> bool {
        match &self.pattern {
            Pattern::File { path, line: only } => {
                only.is_none_or(|only| only == line) && Path::new(&file.replace('\\', "/")).ends_with(path)
            }
            Pattern::Crate(name) => {
                let file = file.replace('\\', "/");
                file.split('/').rev().skip(1).any(|folder| is_folder_of(folder, name))
            }
        }
    }
}

/// Whether cargo would put the crate in a folder of this name: `name`, `name-1.2.3`, or `name-<16 hexadecimal digits>` for git.
fn is_folder_of(folder: &str, name: &str) -> bool {
    let folder = folder.replace('_', "-");
    let Some(rest) = folder.strip_prefix(name) else {
        return false;
    };
    let version = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit()) && rest.contains('.');
    let checkout = |rest: &str| rest.len() == 16 && rest.chars().all(|digit| digit.is_ascii_hexdigit());
    rest.is_empty() || rest.strip_prefix('-').is_some_and(|rest| version(rest) || checkout(rest))
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_most {
            None => f.write_str(&self.text),
            Some(tasks) => write!(f, "{}, at most {tasks}", self.text),
        }
    }
}

/// An allowance that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowError {
    text: String,
    why: &'static str,
}

impl fmt::Display for AllowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, why } = self;
        write!(
            f,
            "cannot read the allowance \"{text}\": {why}; write \"src/metrics.rs\", \"src/metrics.rs:17\" or \"hyper-util\""
        )
    }
}

impl std::error::Error for AllowError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allow: &str, file: &str, line: u32, covered: bool) {
        assert_eq!(Allow::parse(allow).unwrap().covers(file, line), covered, "{allow} covers {file}:{line}?");
    }

    #[test]
    fn a_file_is_matched_by_whole_components_from_the_end() {
        check("metrics.rs", "src/metrics.rs", 1, true);
        check("src/metrics.rs", "crates/a/src/metrics.rs", 1, true);
        check("src/metrics.rs", "crates\\a\\src\\metrics.rs", 1, true);
        check("metrics.rs", "src/my_metrics.rs", 1, false);
        check("src/metrics.rs", "src/metrics.rs/other.rs", 1, false);
    }

    #[test]
    fn a_line_covers_that_line_only() {
        check("src/metrics.rs:17", "src/metrics.rs", 17, true);
        check("src/metrics.rs:17", "src/metrics.rs", 18, false);
    }

    #[test]
    fn a_crate_is_found_in_a_registry_a_checkout_and_a_workspace() {
        let registry = "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/hyper-util-0.1.9/src/rt/tokio.rs";
        check("hyper-util", registry, 3, true);
        check("hyper_util", registry, 3, true);
        check("hyper", registry, 3, false);
        check("util", registry, 3, false);
        check("tonic", "/home/me/.cargo/git/checkouts/tonic-0f9ad83ccae5b6a1/abc1234/tonic/src/x.rs", 3, true);
        check("metrics", "crates/metrics/src/lib.rs", 3, true);
        check("metrics", "src/metrics.rs", 3, false);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_to_write() {
        for text in ["", " a.rs", "src/metrics", "a.rs:x", "a.rs:0", "a.rs:", "a:b"] {
            let error = Allow::parse(text).unwrap_err().to_string();
            assert!(error.contains("write \"src/metrics.rs\""), "{error}");
        }
    }
}
