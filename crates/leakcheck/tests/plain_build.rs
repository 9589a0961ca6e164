//! Builds without `--cfg tokio_unstable`: what a newcomer sees first.
#![cfg(tokio_unstable)]

use std::{path::Path, process::Command};

/// Runs cargo without this workspace's flags, in a folder of its own so that nothing else is rebuilt.
fn plain_cargo(arguments: &[&str]) -> (bool, String) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.ancestors().nth(2).expect("the crate lies two folders below the root").join("target/plain");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--color", "never", "--target-dir"])
        .arg(target)
        .current_dir(here)
        // Any RUSTFLAGS replaces the flags of .cargo/config.toml.
        .env("RUSTFLAGS", "-Cdebuginfo=0")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[test]
fn without_the_flag_the_build_says_which_lines_to_add() {
    let (success, text) = plain_cargo(&["check", "--lib"]);
    assert!(!success, "{text}");
    for line in ["[target.\"cfg(all())\"]", "rustflags = [\"--cfg\", \"tokio_unstable\"]", "RUSTFLAGS", "`count-only`"]
    {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    // What the workbook's page on leak tests shows. Where `SHOWN` names a folder, it is written there anew.
    let said = message(&text);
    match std::env::var_os("SHOWN") {
        Some(folder) => std::fs::write(Path::new(&folder).join("without_flag.txt"), said).expect("it can be written"),
        None => assert_eq!(said, include_str!("page/without_flag.txt")),
    }
    assert_eq!(text.matches("error: leakcheck needs").count(), 1, "{text}");
    assert_eq!(
        text.matches("\nerror").count() + usize::from(text.starts_with("error")),
        2,
        "one error and its end: {text}"
    );
}

/// The message up to the lines that it says to add.
fn message(text: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with("error: leakcheck needs"));
    let end = lines.clone().position(|line| line.contains("rustflags = ")).map_or(0, |last| last + 1);
    lines.take(end).map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn with_count_only_it_counts() {
    let (success, text) = plain_cargo(&["test", "--features", "count-only", "--test", "count_only"]);
    assert!(success, "{text}");
    assert!(text.contains("4 passed"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}
