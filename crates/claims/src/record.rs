//! The file the book reads its numbers from.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde_json::{Value, json};

/// What was seen, by the claim's name.
pub type Seen = BTreeMap<String, Value>;

/// The crates whose versions the numbers depend on.
const CRATES: [&str; 4] =
    ["tokio", "tokio-util", "console-subscriber", "console-api"];

fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

fn path() -> PathBuf {
    root().join("book/recordings/claims.json")
}

/// Reads the record.
///
/// # Errors
/// When it is missing or no JSON.
pub fn read() -> anyhow::Result<Value> {
    let text = fs::read_to_string(path()).context(
        "no record: run `cargo run --bin claims -- --record`",
    )?;
    Ok(serde_json::from_str(&text)?)
}

/// Writes what was seen; claims of the other binary stay.
///
/// # Errors
/// When the file cannot be written or `Cargo.lock` not be read.
pub fn write(seen: Seen) -> anyhow::Result<()> {
    let mut claims = read()
        .ok()
        .and_then(|old| old["claims"].as_object().cloned())
        .unwrap_or_default();
    claims.extend(seen);
    let record = json!({
        "claims": claims,
        "versions": versions()?,
        "recorded": today(),
        "machine": machine(),
    });
    let text = serde_json::to_string_pretty(&record)?;
    fs::create_dir_all(root().join("book/recordings"))?;
    fs::write(path(), text + "\n").context("cannot write the record")
}

/// The locked versions of [`CRATES`].
///
/// # Errors
/// When `Cargo.lock` names one of them not, or twice.
pub fn versions() -> anyhow::Result<BTreeMap<String, String>> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    CRATES
        .iter()
        .map(|name| Ok(((*name).into(), version(&lock, name)?)))
        .collect()
}

fn version(lock: &str, name: &str) -> anyhow::Result<String> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    match *lock.split(&entry).collect::<Vec<_>>() {
        [_, rest] => {
            Ok(rest.split('"').next().unwrap_or_default().into())
        }
        _ => anyhow::bail!("not exactly one {name} in Cargo.lock"),
    }
}

fn machine() -> String {
    let (system, kind) =
        (std::env::consts::OS, std::env::consts::ARCH);
    let cores =
        std::thread::available_parallelism().map_or(1, Into::into);
    format!("{system} {kind}, {cores} cores, debug build")
}

fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    date(now.unwrap_or_default().as_secs() / 86_400)
}

/// The day, `2026-11-20`, from days since 1970 (Gregorian calendar).
fn date(days: u64) -> String {
    let leap = |y: u64| {
        y.is_multiple_of(4)
            && (!y.is_multiple_of(100) || y.is_multiple_of(400))
    };
    let (mut left, mut year) = (days, 1970);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_is_locked_twice_or_never_is_refused() {
        let one = "name = \"tokio\"\nversion = \"1.54.1\"\n";
        assert!(version("", "tokio").is_err());
        assert!(version(&one.repeat(2), "tokio").is_err());
        assert_eq!(version(one, "tokio").unwrap(), "1.54.1");
    }

    #[test]
    fn days_become_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (20_777, "2026-11-20"),
            (20_818, "2026-12-31"),
        ] {
            assert_eq!(date(days), expected);
        }
    }
}
