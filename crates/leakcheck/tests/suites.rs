//! The harness for other people's suites is a program too: its own tests run with all others.

use std::{path::Path, process::Command};

/// It needs no network and builds nothing.
#[test]
fn the_harness_for_foreign_suites_reads_swaps_and_refuses_as_it_says() {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    let ran = Command::new("python3")
        .args(["-B", "-m", "unittest", "discover", "--start-directory"])
        .arg(&suites)
        .current_dir(&suites)
        .output()
        .expect("python3 runs: install Python 3.11 or later");
    let text = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{text}");
    // Without a test found, unittest is content as well.
    let count = text.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse::<usize>().ok());
    assert!(count.is_some_and(|count| count > 10), "{text}");
}
