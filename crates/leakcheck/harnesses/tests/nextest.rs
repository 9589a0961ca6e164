//! cargo-nextest, which runs each test in a process of its own.

use std::{path::Path, process::Command};

use harnesses::Outcome;

fn nextest(arguments: &[&str]) -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target directory");
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["nextest", "run", "--color", "never", "--no-fail-fast", "--success-output", "never", "--target-dir"])
        .arg(target)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUST_BACKTRACE", "0");
    Outcome::of(&mut command).text().to_owned()
}

#[test]
fn what_passes_under_cargo_test_passes_here() {
    let text = nextest(&["--test", "attributes", "--test", "traced_test", "--test", "test_log", "--test", "servers"]);
    let summary = text.lines().find(|line| line.contains("Summary")).unwrap_or_else(|| panic!("{text}"));
    let passed = summary.split(" passed").next().and_then(|before| before.rsplit(' ').next()?.parse::<usize>().ok());
    assert!(passed.is_some_and(|passed| passed > 50) && !summary.contains("failed"), "{text}");
}

#[test]
fn a_leaking_test_fails_alone_with_its_report() {
    let text = nextest(&["--test", "attributes", "--run-ignored", "only", "-E", "test(rstest::must_fail)"]);
    assert!(text.contains("3 tests run: 1 passed, 2 failed"), "{text}");
    let failed = |name: &str| text.lines().any(|line| line.contains("FAIL [") && line.ends_with(name));
    assert!(failed("rstest::must_fail::one_case::case_2_leaks") && failed("rstest::must_fail::the_fixture"), "{text}");
    assert!(!failed("rstest::must_fail::one_case::case_1_clean"), "{text}");
    assert!(
        text.contains("leak: 1 task left\n") && text.contains("1 task spawned at tests/attributes/rstest.rs:"),
        "{text}"
    );
}
