//! What `panic = "abort"` changes, seen on one program that is compiled both ways.

use std::process::{Command, Output};

/// Compiles `caught.rs` with this way to panic, and runs it.
fn caught(panic: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("caught");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/caught.rs");
    let built = Command::new("rustc")
        .args(["--edition=2024", "-C", &format!("panic={panic}")])
        .arg(source)
        .arg("-o")
        .arg(&program)
        .output()
        .expect("the test compiles a program: install rustc, as rustup does");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    Command::new(program).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_unwinding_panic_runs_the_guard_and_can_be_caught() {
    let output = caught("unwind");
    assert_eq!(said(&output), "guard\ncaught\n");
    assert!(output.status.success());
}

#[test]
fn an_aborting_panic_runs_the_hook_and_nothing_else() {
    let output = caught("abort");
    assert_eq!(said(&output), "");
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("panicked at"), "{words}");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(6),
        "SIGABRT"
    );
}
