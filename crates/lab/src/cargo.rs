//! The only caller of cargo.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{ChildStderr, Command},
};

use crate::child::Group;

/// Lines of a failed build that are shown.
const ERROR_LINES_MAX: usize = 60;

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being compiled.
    pub text: String,
    /// Units of compilation done.
    pub done: u32,
    /// Units in all.
    pub total: u32,
}

/// The executables that a build made, by binary name.
pub type Executables = BTreeMap<String, PathBuf>;

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<MessageTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

/// Builds binaries, telling `progress` what is being compiled and how far it is.
///
/// # Errors
/// When they do not compile, with the compiler's words; when RUSTFLAGS would hide the project's own flags.
pub async fn build(root: &Path, bins: &[String], mut progress: impl FnMut(Progress)) -> anyhow::Result<Executables> {
    check_rustflags(std::env::var("RUSTFLAGS").ok().as_deref())?;
    let mut command = cargo(root);
    command.args(["build", "--message-format=json-render-diagnostics"]);
    for bin in bins {
        command.args(["--bin", bin]);
    }
    // Cargo draws its bar for us, at a width that cuts no name.
    command.envs([("CARGO_TERM_PROGRESS_WHEN", "always"), ("CARGO_TERM_PROGRESS_WIDTH", "160")]);
    command.env("CARGO_TERM_COLOR", "never");
    let mut child = Group::spawn(command).context("cannot start cargo: is Rust installed (rustup.rs)?")?;
    let stdout = child.take_stdout().context("cargo has no output")?;
    let stderr = child.take_stderr().context("cargo has no error output")?;
    let (made, said) = tokio::join!(executables(stdout), follow(stderr, &mut progress));
    let status = child.wait().await?;
    if !status.success() {
        bail!("{} did not compile:\n{}", bins.join(" and "), said.trim_end());
    }
    let made = made?;
    match bins.iter().find(|bin| !made.contains_key(*bin)) {
        Some(bin) => bail!("cargo built no {bin}"),
        None => Ok(made),
    }
}

/// A RUSTFLAGS variable replaces every `rustflags` in `.cargo/config.toml`.
///
/// # Errors
/// When it is set and does not itself ask for `tokio_unstable`.
pub fn check_rustflags(rustflags: Option<&str>) -> anyhow::Result<()> {
    match rustflags {
        Some(flags) if !flags.contains("tokio_unstable") => bail!(
            "RUSTFLAGS is set in your environment and hides this project's `--cfg tokio_unstable`: run `unset RUSTFLAGS`, or add the flag to it"
        ),
        _ => Ok(()),
    }
}

/// Runs cargo to a good end, with a variable where one is given, and returns what was said.
///
/// # Errors
/// When the command fails, with its last words.
pub async fn output(root: &Path, args: &[&str], variable: Option<(&str, &OsStr)>) -> anyhow::Result<Output> {
    check_rustflags(std::env::var("RUSTFLAGS").ok().as_deref())?;
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

async fn executables(stdout: tokio::process::ChildStdout) -> anyhow::Result<Executables> {
    let (mut lines, mut made) = (BufReader::new(stdout).lines(), Executables::new());
    while let Some(line) = lines.next_line().await? {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.reason == "compiler-artifact"
            && let (Some(target), Some(executable)) = (message.target, message.executable)
        {
            made.insert(target.name, executable);
        }
    }
    Ok(made)
}

/// Reads cargo's error output: progress goes to `progress`, the rest is returned, cut to what a person reads.
async fn follow(mut stderr: ChildStderr, progress: &mut impl FnMut(Progress)) -> String {
    let (mut chunk, mut line, mut said) = ([0; 4096], Vec::new(), Vec::new());
    while let Ok(n) = stderr.read(&mut chunk).await
        && n > 0
    {
        for &byte in &chunk[..n] {
            if byte != b'\r' && byte != b'\n' {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            match parse_progress(&text) {
                Some(step) => progress(step),
                None if !text.is_empty() && said.len() < ERROR_LINES_MAX && is_news(&text) => said.push(text),
                None => {}
            }
        }
    }
    said.join("\n")
}

/// Lines about crates that compile well are not news in an error message.
fn is_news(line: &str) -> bool {
    !["Compiling", "Downloading", "Downloaded", "Finished", "Locking", "Fresh", "Blocking"]
        .iter()
        .any(|verb| line.trim_start().starts_with(verb))
}

/// `    Building [====>    ] 85/124: tokio, tonic` → 85 of 124, tokio, tonic.
fn parse_progress(line: &str) -> Option<Progress> {
    // The bar follows a control sequence that clears the line before it.
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
    fn rustflags_without_the_cfg_are_refused() {
        assert!(check_rustflags(Some("-C opt-level=1")).is_err());
        assert!(check_rustflags(Some("")).is_err());
        assert!(check_rustflags(Some("--cfg tokio_unstable")).is_ok());
        assert!(check_rustflags(None).is_ok());
    }
}
