//! The only caller of cargo.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{ChildStderr, Command},
};

use crate::child::Group;

/// Lines of a failed build that are shown. The rest is counted, and the command that shows it is named.
const ERROR_LINES_MAX: usize = 60;
/// What cargo writes in front of a line to remove its bar.
const CLEAR_LINE: &str = "\u{1b}[K";
/// Lines of cargo's own that are kept: warnings about manifests come before the reason.
const WORDS_MAX: usize = 1_000;
/// Variables that replace every `rustflags` of every `.cargo/config.toml`, the strongest first.
const FLAGS: [&str; 2] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"];

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being compiled, or waited for.
    pub text: String,
    /// Units of compilation done.
    pub done: u32,
    /// Units in all; 0 while nothing is counted yet.
    pub total: u32,
}

/// The executables that a build made, by binary name.
pub type Executables = BTreeMap<String, PathBuf>;

/// The compiler refused what it was to build.
#[derive(Debug)]
pub struct DidNotCompile {
    bins: String,
    /// Each error, as the compiler draws it.
    pub errors: Vec<String>,
    /// The errors, cut to what a person reads.
    pub text: String,
}

/// What the environment does to this project's `--cfg tokio_unstable`.
#[derive(Debug, PartialEq, Eq)]
pub enum Flags {
    /// Nothing: no variable is set.
    Unset,
    /// This variable replaces the project's flags, and has the cfg itself.
    Kept(&'static str),
    /// This variable replaces the project's flags, and has no cfg.
    Hidden(&'static str),
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<MessageTarget>,
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    message: String,
    rendered: Option<String>,
}

/// What cargo says on standard output: what it made, and the compiler's errors. Its warnings are no reason to fail.
#[derive(Default)]
struct Said {
    made: Executables,
    errors: Vec<String>,
}

impl DidNotCompile {
    /// The first error in one line: `error[E0308]: mismatched types at mine.rs:3:5`.
    pub fn first(&self) -> String {
        let mut lines = self.errors.first().map_or("", String::as_str).lines();
        let what = lines.next().unwrap_or_default();
        match lines.next().and_then(|line| line.trim_start().strip_prefix("--> ")) {
            Some(place) => format!("{what} at {place}"),
            None => what.to_owned(),
        }
    }
}

impl fmt::Display for DidNotCompile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not compile:\n{}", self.bins, self.text)
    }
}

impl std::error::Error for DidNotCompile {}

/// Builds binaries, telling `progress` what is being compiled and how far it is.
///
/// # Errors
/// When they do not compile, with the compiler's errors; when a variable would hide the project's own flags.
pub async fn build(root: &Path, bins: &[String], progress: impl FnMut(Progress)) -> anyhow::Result<Executables> {
    make(root, &["build"], bins, progress).await
}

/// Builds the unit tests of binaries, and runs none of them.
///
/// # Errors
/// As [`build`].
pub async fn build_tests(root: &Path, bins: &[String], progress: impl FnMut(Progress)) -> anyhow::Result<Executables> {
    make(root, &["test", "--no-run", "--no-fail-fast"], bins, progress).await
}

async fn make(
    root: &Path,
    how: &[&str],
    bins: &[String],
    mut progress: impl FnMut(Progress),
) -> anyhow::Result<Executables> {
    check_flags()?;
    let mut command = cargo(root);
    let bins_args: Vec<_> = bins.iter().flat_map(|bin| ["--bin", bin]).collect();
    command.args(how).arg("--message-format=json").args(&bins_args);
    // Cargo draws its bar for us, at a width that cuts no name, and says what it waits for.
    command.envs([("CARGO_TERM_PROGRESS_WHEN", "always"), ("CARGO_TERM_PROGRESS_WIDTH", "160")]);
    command.envs([("CARGO_TERM_COLOR", "never"), ("CARGO_TERM_QUIET", "false")]);
    let mut child = Group::spawn(command).context("cannot start cargo: is Rust installed (rustup.rs)?")?;
    let stdout = child.take_stdout().context("cargo has no output")?;
    let stderr = child.take_stderr().context("cargo has no error output")?;
    let (said, words) = tokio::join!(messages(stdout), follow(stderr, &mut progress));
    let status = child.wait().await?;
    let said = said?;
    if !status.success() {
        let all = format!("cargo {} {}", how.join(" "), bins_args.join(" "));
        let text = reason(&said.errors, &words, &all);
        let (bins, errors) = (bins.join(" and "), said.errors);
        // Without the compiler's word it is cargo that could not work.
        ensure!(!errors.is_empty(), "{bins} did not compile:\n{text}");
        return Err(DidNotCompile { bins, errors, text }.into());
    }
    match bins.iter().find(|bin| !said.made.contains_key(*bin)) {
        Some(bin) => bail!("cargo built no {bin}"),
        None => Ok(said.made),
    }
}

/// Looks for a variable that replaces the project's flags.
pub fn flags(variable: impl Fn(&str) -> Option<String>) -> Flags {
    match FLAGS.into_iter().find_map(|name| Some((name, variable(name)?))) {
        None => Flags::Unset,
        Some((name, flags)) if flags.contains("tokio_unstable") => Flags::Kept(name),
        Some((name, _)) => Flags::Hidden(name),
    }
}

/// A variable of the environment, for [`flags`].
pub fn variable(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// Refuses to build what would be built without the project's flags.
///
/// # Errors
/// When a variable hides them.
pub fn check_flags() -> anyhow::Result<()> {
    match flags(variable) {
        Flags::Hidden(name) => bail!("{}", hidden(name)),
        Flags::Unset | Flags::Kept(_) => Ok(()),
    }
}

/// Runs cargo to a good end, with a variable where one is given, and returns what was said.
///
/// # Errors
/// When the command fails, with its last words.
pub async fn output(root: &Path, args: &[&str], variable: Option<(&str, &OsStr)>) -> anyhow::Result<Output> {
    check_flags()?;
    let mut command = cargo(root);
    command.args(args).envs([("CARGO_TERM_COLOR", "never"), ("RUST_BACKTRACE", "0")]).envs(variable);
    let output = Group::output(command).await.context("cannot start cargo: is Rust installed (rustup.rs)?")?;
    if !output.status.success() {
        let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        let lines: Vec<_> = words.lines().collect();
        let last = lines[lines.len().saturating_sub(ERROR_LINES_MAX)..].join("\n");
        bail!("`cargo {}` failed:\n{last}", args.join(" "));
    }
    Ok(output)
}

/// What to say of a variable that hides the project's flags.
pub fn hidden(name: &str) -> String {
    format!("{name} is set and hides this project's `--cfg tokio_unstable`: run `unset {name}`, or add the flag to it")
}

/// Where cargo builds: `target`, unless the reader's configuration says otherwise.
pub fn target_directory(root: &Path) -> PathBuf {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = std::process::Command::new("cargo").args(arguments).current_dir(root).output();
    let metadata = output.ok().and_then(|output| serde_json::from_slice::<Metadata>(&output.stdout).ok());
    metadata.map_or_else(|| root.join("target"), |metadata| metadata.target_directory)
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // `cargo lab` hands its own package's variables down; a build script that reads them would build twice.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_")
            || matches!(&*name, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "CARGO_BIN_NAME")
        {
            command.env_remove(&*name);
        }
    }
    command
}

async fn messages(stdout: tokio::process::ChildStdout) -> anyhow::Result<Said> {
    let (mut lines, mut said) = (BufReader::new(stdout).lines(), Said::default());
    while let Some(line) = lines.next_line().await? {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        match message {
            Message { reason, target: Some(target), executable: Some(executable), .. }
                if reason == "compiler-artifact" =>
            {
                said.made.insert(target.name, executable);
            }
            Message { reason, message: Some(diagnostic), .. } if reason == "compiler-message" => {
                said.errors.extend(error(diagnostic));
            }
            _ => {}
        }
    }
    Ok(said)
}

/// The compiler's words, where they are about an error. How many there were in all is no error of its own.
fn error(diagnostic: Diagnostic) -> Option<String> {
    let is_error = diagnostic.level.starts_with("error") && !diagnostic.message.starts_with("aborting due to");
    diagnostic.rendered.filter(|_| is_error)
}

/// Why a build failed, cut to what a person reads: the compiler's errors, or else what cargo itself complains of.
fn reason(errors: &[String], words: &[String], command: &str) -> String {
    let first = words.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let lines: Vec<&str> = match errors {
        [] => words[first..].iter().map(String::as_str).collect(),
        errors => errors.iter().flat_map(|error| error.lines()).collect(),
    };
    let text = lines[..lines.len().min(ERROR_LINES_MAX)].join("\n").trim_end().to_owned();
    match lines.len().saturating_sub(ERROR_LINES_MAX) {
        0 => text,
        more => format!("{text}\n… and {more} lines more: `{command}` says all"),
    }
}

/// Reads cargo's error output: progress goes to `progress`, the rest is returned.
async fn follow(mut stderr: ChildStderr, progress: &mut impl FnMut(Progress)) -> Vec<String> {
    let (mut chunk, mut line, mut said) = ([0; 4096], Vec::new(), Vec::new());
    while let Ok(n) = stderr.read(&mut chunk).await
        && n > 0
    {
        for &byte in &chunk[..n] {
            if byte != b'\r' && byte != b'\n' {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line).trim_start_matches(CLEAR_LINE).trim_end().to_owned();
            line.clear();
            match parse_progress(&text).or_else(|| parse_waiting(&text)) {
                Some(step) => progress(step),
                None if !text.is_empty() && said.len() < WORDS_MAX && is_news(&text) => said.push(text),
                None => {}
            }
        }
    }
    said
}

/// Lines about crates that compile well are not news in an error message.
fn is_news(line: &str) -> bool {
    !["Compiling", "Downloading", "Downloaded", "Finished", "Locking", "Fresh"]
        .iter()
        .any(|verb| line.trim_start().starts_with(verb))
}

/// `    Blocking waiting for file lock on build directory` → waiting.
fn parse_waiting(line: &str) -> Option<Progress> {
    let (_, what) = line.split_once("Blocking waiting for file lock on ")?;
    Some(Progress { text: format!("waiting for another cargo, which holds the {what}"), done: 0, total: 0 })
}

/// `    Building [====>    ] 85/124: tokio, tonic` → 85 of 124, tokio, tonic.
fn parse_progress(line: &str) -> Option<Progress> {
    let bar = &line[line.find("Building [")?..];
    let (_, rest) = bar.split_once("] ")?;
    let (counts, names) = rest.split_once(": ").unwrap_or((rest, ""));
    let (done, total) = counts.split_once('/')?;
    let names = names.split(", ").map(|name| name.trim_end_matches("(bin)")).take(3).collect::<Vec<_>>().join(", ");
    Some(Progress { text: names, done: done.trim().parse().ok()?, total: total.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_bar_is_no_progress() {
        assert_eq!(parse_progress("   Compiling tokio v1.54.1"), None);
        assert_eq!(parse_progress("    Building [==> ] x/y: tokio"), None);
    }

    #[test]
    fn a_bar_tells_how_far_and_what() {
        let step = parse_progress("\u{1b}[K    Building [=====>      ] 85/124: tokio, tonic, lab(bin)").unwrap();
        assert_eq!(step, Progress { text: "tokio, tonic, lab".into(), done: 85, total: 124 });
    }

    #[test]
    fn waiting_for_another_cargo_is_progress_that_counts_nothing() {
        let step = parse_waiting("    Blocking waiting for file lock on build directory").unwrap();
        let text = "waiting for another cargo, which holds the build directory".to_owned();
        assert_eq!(step, Progress { text, done: 0, total: 0 });
        assert_eq!(parse_waiting("   Compiling blocking v1.6.2"), None);
    }

    #[test]
    fn flags_without_the_cfg_are_hidden_and_the_stronger_variable_counts() {
        let check = |set: &[(&str, &str)], expected: Flags| {
            let variable =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(flags(variable), expected, "{set:?}");
        };
        check(&[], Flags::Unset);
        for name in FLAGS {
            check(&[(name, "-C opt-level=1")], Flags::Hidden(name));
            check(&[(name, "")], Flags::Hidden(name));
            check(&[(name, "--cfg\u{1f}tokio_unstable")], Flags::Kept(name));
        }
        check(&[("RUSTFLAGS", "--cfg tokio_unstable"), ("CARGO_ENCODED_RUSTFLAGS", "")], Flags::Hidden(FLAGS[0]));
    }

    #[test]
    fn without_an_error_of_the_compiler_cargos_own_is_the_reason() {
        let words = ["warning: unused manifest key: x", "error: no bin target named `x`", "help: y"].map(str::to_owned);
        assert_eq!(reason(&[], &words, "c"), "error: no bin target named `x`\nhelp: y");
        assert_eq!(reason(&["error[E0425]: z\n".into()], &words, "c"), "error[E0425]: z");
    }

    #[test]
    fn a_long_reason_is_cut_and_says_by_how_much() {
        let long = "error: x\n".repeat(ERROR_LINES_MAX + 2);
        let text = reason(&[long], &[], "cargo build --bin a");
        assert!(text.ends_with("error: x\n… and 2 lines more: `cargo build --bin a` says all"), "{text}");
        assert_eq!(text.lines().count(), ERROR_LINES_MAX + 1);
    }
}
