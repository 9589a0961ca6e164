//! A build that waits, or fails, says why.

use std::fs::{self, File};

use crate::common::{Fixture, Lab};

/// A program that compiles, and has nothing to say.
const SILENT: &str = "fn main() {}";

#[test]
fn waiting_for_another_cargo_is_said_in_the_terminal_and_to_the_page() {
    for args in [&["pair", "on-fire"][..], &["pair", "on-fire", "--json"]] {
        let fixture = Fixture::new(SILENT, SILENT);
        let folder = fixture.target().join("debug");
        fs::create_dir_all(&folder).unwrap();
        // As another cargo does it. The lab ends while it is held, so it waited for nothing else.
        let lock = File::create(folder.join(".cargo-lock")).unwrap();
        lock.lock().unwrap();
        let mut lab = Lab::start(fixture.lab(args));
        let line = lab.line_with("waiting for another cargo");
        assert_eq!(line.starts_with(r#"{"event":"build","#), args.contains(&"--json"), "{line}");
    }
}

#[test]
fn of_a_failed_build_the_errors_are_kept_and_not_the_warnings_before_them() {
    let warnings: String = (0..100).map(|n| format!("fn unused_{n}() {{}}\n")).collect();
    let fixture = Fixture::new(SILENT, &format!("{warnings}fn main() {{ let rows: u32 = \"none\"; }}"));
    let output = fixture.run(&["pair", "on-fire"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("did not compile") && words.contains("mismatched types"), "{words}");
    assert!(!words.contains("warning") && !words.contains("unused_"), "{words}");
}

#[test]
fn of_many_errors_the_first_are_shown_and_the_rest_is_counted() {
    let errors = "let _: u32 = \"none\";\n".repeat(100);
    let fixture = Fixture::new(SILENT, &format!("fn main() {{ {errors} }}"));
    let output = fixture.run(&["pair", "on-fire"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("lines more: `cargo build --bin on-fire-leak --bin on-fire-fix` says all"), "{words}");
    assert!(words.lines().count() < 70, "{words}");
}

#[test]
fn what_cargo_itself_complains_of_is_said() {
    let fixture = Fixture::new(SILENT, SILENT);
    fixture.write("Cargo.toml", "[workspace]\nresolver = '3'\nmembers = ['scenarios/*', 'gone']\n");
    let output = fixture.run(&["pair", "on-fire"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("gone/Cargo.toml"), "{words}");
}
