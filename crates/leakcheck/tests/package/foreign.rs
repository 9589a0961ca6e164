//! Somebody else's crate, which takes leakcheck as a registry would give it.

use std::{fs, path::PathBuf};

use crate::{cargo, packed::unpacked, root, run, target};

const TESTS: &str = r#"use tokio::sync::mpsc;

#[leakcheck::test]
async fn a_worker_that_ends_is_no_leak() {
    let (send, mut receive) = mpsc::channel::<u8>(1);
    tokio::spawn(async move { while receive.recv().await.is_some() {} });
    send.send(1).await.unwrap();
}

#[leakcheck::test]
async fn a_worker_whose_sender_is_kept_is_one() {
    let (send, mut receive) = mpsc::channel::<u8>(1);
    tokio::spawn(async move { while receive.recv().await.is_some() {} });
    std::mem::forget(send);
}
"#;

/// Writes the crate. Its versions are those of this workspace's lock file, so that nothing new is fetched.
fn project() -> PathBuf {
    let folder = target("package").join("foreign");
    let _ = fs::remove_dir_all(&folder);
    for below in ["src", "tests", ".cargo"] {
        fs::create_dir_all(folder.join(below)).unwrap();
    }
    let (packed, version) = (unpacked().display(), env!("CARGO_PKG_VERSION"));
    let manifest = format!(
        r#"[package]
name = "foreign"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
tokio = {{ version = "1", features = ["rt-multi-thread", "macros", "sync"] }}

[dev-dependencies]
leakcheck = "{version}"

[patch.crates-io]
leakcheck = {{ path = "{packed}/leakcheck" }}
leakcheck-macros = {{ path = "{packed}/leakcheck-macros" }}
"#
    );
    let flags = "[target.\"cfg(all())\"]\nrustflags = [\"--cfg\", \"tokio_unstable\"]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join(".cargo/config.toml"), flags).unwrap();
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    fs::write(folder.join("tests/leaks.rs"), TESTS).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

#[test]
fn somebody_elses_leak_is_reported_at_its_line() {
    let mut test = cargo();
    test.args(["test", "--test", "leaks", "--target-dir"]).arg(target("package"));
    let (success, text) = run(test.current_dir(project()));
    assert!(!success, "{text}");
    let place = TESTS.lines().enumerate().filter(|(_, line)| line.contains("tokio::spawn")).nth(1);
    let (line, code) = place.expect("two tests spawn");
    let column = code.find("tokio::spawn").unwrap() + 1;
    let report =
        format!("leak: 1 task left\n  1 task spawned at tests/leaks.rs:{}:{column}: parked; under 1 s old", line + 1);
    for part in [
        "test a_worker_that_ends_is_no_leak ... ok",
        "test a_worker_whose_sender_is_kept_is_one ... FAILED",
        "1 passed; 1 failed",
        &report,
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
