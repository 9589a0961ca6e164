//! What a thing that is made here and now is made by: asks the system for the day and for rustc's version.

use anyhow::{Context, ensure};
use evidence::made_by::{MadeBy, Now};

/// What something that is made of this, here and today, is made by.
///
/// # Errors
/// When the system tells neither its date nor rustc's version.
pub fn made_by(ingredients: Now) -> anyhow::Result<MadeBy> {
    let Now { hash, mut versions } = ingredients;
    let rustc = tool(&["rustc", "--version"])?;
    versions.insert("rustc".into(), rustc.split_whitespace().nth(1).unwrap_or("unknown").to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let machine = format!("{} {}, {cores} cores", std::env::consts::OS, std::env::consts::ARCH);
    Ok(MadeBy { hash, versions, recorded: day()?, machine })
}

/// Today, as `2026-11-28`.
///
/// # Errors
/// When the system does not tell.
pub fn day() -> anyhow::Result<String> {
    tool(&["date", "+%Y-%m-%d"])
}

fn tool(command: &[&str]) -> anyhow::Result<String> {
    let output = std::process::Command::new(command[0]).args(&command[1..]).output();
    let output = output.with_context(|| format!("cannot run {}", command[0]))?;
    ensure!(output.status.success(), "`{}` failed", command.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
