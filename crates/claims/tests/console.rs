//! Goal: what *Reading the instruments* says of tokio-console holds,
//! and it says so of the console that this workbook's programs run.
//! Method: run every console claim once, each against a process of
//! its own; hold the sure ones against the record, and the others
//! against bounds that a busy machine does not change.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use claims::record::{self, Record};
use serde_json::Value;
use stage::console::{HISTOGRAM_MAX, RETENTION};

const RENEW: &str =
    "run `cargo run --bin claims-console -- --record`";

/// All of it, once for all tests.
static SEEN: LazyLock<Value> = LazyLock::new(|| {
    let bin = env!("CARGO_BIN_EXE_claims-console");
    let run = Command::new(bin).arg("--json").output().unwrap();
    let why = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{why}");
    serde_json::from_slice(&run.stdout).unwrap()
});

fn number(claim: &str, field: &str) -> u64 {
    SEEN[claim][field].as_u64().unwrap()
}

/// The tester tested: the stock server misses most of the same burst.
#[test]
fn the_server_of_the_stage_shows_all_of_a_burst_and_loses_nothing() {
    assert_eq!(number("burst-stock", "alive"), 10_000);
    assert!(number("burst-stock", "shown") < 5_000);
    assert_eq!(number("burst-stage", "shown"), 10_000);
    assert_eq!(number("burst-stage", "dropped_events"), 0);
}

/// Asked through the protocol: what is measured is what the stage
/// says of itself.
#[test]
fn the_server_that_is_measured_has_the_settings_of_the_stage() {
    let histogram_max = number("burst-stage", "histogram_max_us");
    assert_eq!(u128::from(histogram_max), HISTOGRAM_MAX.as_micros());
    // Rows never go early. They go late on a busy machine.
    let kept = number("finished-rows", "retention_seconds");
    let kept = Duration::from_secs(kept);
    let slack = Duration::from_secs(10);
    assert!(kept >= RETENTION, "{kept:?}");
    assert!(kept <= RETENTION + slack, "{kept:?}");
}

#[test]
fn a_parked_task_weighs_more_under_each_console() {
    let bytes = |name| number("parked-task-memory", name);
    assert!(bytes("bytes_bare") * 10 < bytes("bytes_stage"));
    assert!(bytes("bytes_stage") < bytes("bytes_stock"));
}

/// Told apart from a record that was renewed when something broke.
#[test]
fn a_lock_is_named_and_a_task_that_waits_for_nothing_is_not() {
    assert_eq!(SEEN["waits"]["mutex"], "Mutex");
    assert_eq!(SEEN["waits"]["pending"], "nothing");
}

#[test]
fn the_record_says_what_the_console_shows_now() {
    let recorded = recorded();
    for sure in [
        "burst-stage",
        "late-attach",
        "late-attach-alone",
        "pause-for-all",
        "waits",
    ] {
        assert_eq!(SEEN[sure], recorded[sure], "{sure}: {RENEW}");
    }
    // Its seconds may vary, its rows may not.
    for rows in ["alive", "rows", "live_rows", "rows_after_retention"]
    {
        let name = "finished-rows";
        assert_eq!(SEEN[name][rows], recorded[name][rows], "{RENEW}");
    }
    let names = |all: &Value| -> BTreeSet<String> {
        all.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&SEEN), names(&recorded), "{RENEW}");
}

/// What was recorded by `claims-console`, by name.
fn recorded() -> Value {
    let record = Record::read(&record::root()).unwrap();
    let own = record.claims.into_iter().filter(|(_, claim)| {
        claim.made_by.program == "claims-console"
    });
    own.map(|(name, claim)| (name, claim.seen)).collect()
}

#[test]
fn a_change_of_any_part_makes_a_claim_of_the_console_stale() {
    let root = record::root();
    let mut parts: BTreeSet<_> =
        sources(&root.join("crates/claims/src/console"))
            .into_iter()
            .map(|file| relative(&root, &file))
            .filter(|file| !file.ends_with("/main.rs"))
            .collect();
    assert!(parts.len() >= 4, "{parts:?}");
    parts.insert("crates/stage/src/console.rs".into());
    for (name, claim) in Record::read(&root).unwrap().claims {
        if claim.made_by.program == "claims-console" {
            record::check_fresh(&root, &name)
                .unwrap_or_else(|stale| panic!("{stale:#}"));
            let missing: Vec<_> =
                parts.difference(&claim.made_by.files).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }
}

/// A copy of the stage's server was measured once, long after the
/// stage's own had changed.
#[test]
fn nobody_but_the_stage_has_settings_for_a_console() {
    let root = record::root();
    let builder = ["ConsoleLayer", "::builder()"].concat();
    let mut stock = 0;
    for file in ["crates", "scenarios"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
    {
        let name = relative(&root, &file);
        let text = fs::read_to_string(&file).unwrap();
        let uses = text.split(&builder).skip(1);
        if name == "crates/stage/src/console.rs" {
            assert_eq!(uses.count(), 1, "the stage's own");
            continue;
        }
        for rest in uses {
            stock += 1;
            assert!(
                rest.trim_start().starts_with(".build()"),
                "{name}: use `stage::console`, whose settings are the ones that the book measures"
            );
        }
    }
    assert!(stock > 0, "the stock server is measured too");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

fn relative(root: &Path, file: &Path) -> String {
    let file = file.strip_prefix(root).unwrap();
    file.to_str().unwrap().to_owned()
}
