//! Goal: what *Reading the instruments* says of tokio-console holds.
//! Method: run every console claim once, each against a process of
//! its own; hold the sure ones against the record, and the others
//! against bounds that a busy machine does not change.

use std::process::Command;

use claims::record;
use serde_json::{Value, json};

const RENEW: &str =
    "run `cargo run --bin claims-console -- --record`";

#[test]
fn the_console_shows_what_the_book_says() {
    let bin = env!("CARGO_BIN_EXE_claims-console");
    let run = Command::new(bin).arg("--json").output().unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let seen: Value = serde_json::from_slice(&run.stdout).unwrap();
    let recorded = &record::read().unwrap()["claims"];

    // The tester tested: the stock server misses most of a burst…
    let stock = &seen["burst-stock"];
    assert_eq!(stock["alive"], 10_000);
    assert!(stock["shown"].as_u64().unwrap() < 5_000, "{stock}");
    // …and the workbook's server none of it.
    let stage = &seen["burst-stage"];
    assert_eq!(
        (&stage["shown"], &stage["dropped_events"]),
        (&json!(10_000), &json!(0))
    );

    let bytes = |name: &str| {
        seen["parked-task-memory"][name].as_u64().unwrap()
    };
    assert!(bytes("bytes_bare") * 10 < bytes("bytes_stage"));
    assert!(bytes("bytes_stage") < bytes("bytes_stock"));

    for sure in [
        "burst-stage",
        "late-attach",
        "late-attach-alone",
        "finished-rows",
        "pause-for-all",
        "waits",
    ] {
        assert_eq!(seen[sure], recorded[sure], "{sure}: {RENEW}");
    }
    for varies in ["parked-task-memory", "burst-stock"] {
        assert!(recorded[varies].is_object(), "{varies}: {RENEW}");
    }
}
