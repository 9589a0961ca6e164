//! What programs say beside `--json`, and what they do not do: it reaches the reader, and never more than a reader reads.

use serde_json::Value;

use crate::common::{Fixture, Lab, await_that, lab};

const PAIR: &str = "unconsumed-send";
const SLEEPER: &str = "fn main() { std::thread::sleep(std::time::Duration::from_secs(300)) }";

/// Runs a fixture whose leak is this program; its error line.
fn error_of(leak: &str) -> String {
    let fixture = Fixture::new(leak, SLEEPER);
    let output = fixture.run(&["pair", "on-fire"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    await_that("the other program ends", || fixture.running().is_empty());
    words
}

#[test]
fn a_program_that_prints_is_quoted_and_told_what_to_use() {
    let words = error_of(r#"fn main() { println!("hello, world") }"#);
    let expected = "on-fire-leak wrote `hello, world` to standard output, which is for --json: use eprintln!";
    assert!(words.contains(expected), "{words}");
}

#[test]
fn a_line_without_an_end_does_not_fill_the_terminal() {
    let words = error_of(r#"fn main() { loop { print!("{}", "x".repeat(10_000)) } }"#);
    assert!(words.contains("wrote a line of more than 1048576 bytes to standard output"), "{words}");
    assert!(words.len() < 2_000, "{} bytes", words.len());
}

#[test]
fn noise_on_error_output_is_cut_and_cannot_steer_the_terminal() {
    let noise = "use std::io::Write; fn main() { let noise = [27, 91, 50, 74, 0, 255, 200].repeat(1_000_000); \
                 let _ = std::io::stderr().write_all(&noise); std::process::exit(1) }";
    let words = error_of(noise);
    assert!(words.contains("ended with exit code 1 before its report:\n\\u{1b}[2J\\u{0}"), "{words}");
    assert!(words.len() < 3_000 && !words.contains('\u{1b}'), "{} bytes", words.len());
}

#[test]
fn what_a_program_said_on_standard_error_stands_below_the_verdict() {
    let args = ["pair", "panicked-peer", "--sides", "fix", "--", "--units", "8"];
    let output = lab(&args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (verdict, said) = text.split_once("it said on standard error:\n").unwrap_or_else(|| panic!("{text}"));
    assert!(verdict.contains("\npanicked-peer-fix "), "{text}");
    assert!(said.contains("panicked at"), "{text}");
}

#[test]
fn a_page_gets_what_a_program_said() {
    let args = ["pair", "panicked-peer", "--sides", "fix", "--json", "--", "--units", "8"];
    let mut lab = Lab::start(lab(&args));
    let verdict: Value = serde_json::from_str(&lab.line_with(r#""event":"verdict""#)).unwrap();
    let said = verdict["sides"]["fix"]["said"].as_array().unwrap();
    assert!(said.iter().any(|line| line.as_str().unwrap().contains("panicked at")), "{said:?}");
    lab.end();
}

#[test]
fn a_run_without_progress_is_told_after_seconds() {
    // A unit of work every ten seconds.
    let mut lab = Lab::start(lab(&["pair", PAIR, "--sides", "fix", "--json", "--", "--rate", "0.1", "--units", "3"]));
    let stalled: Value = serde_json::from_str(&lab.line_with(r#""event":"stalled""#)).unwrap();
    assert_eq!((stalled["side"].as_str(), stalled["seconds"].as_u64()), (Some("fix"), Some(5)));
}

#[test]
fn wrong_arguments_for_the_programs_are_exit_code_two() {
    for (args, expected) in [(["--units", "0"], "'0' for '--units"), (["--rate", "fast"], "'fast' for '--rate")] {
        let output = lab(&[&["pair", PAIR, "--"], &args[..]].concat()).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("did not start:") && words.contains(expected), "{words}");
    }
}

#[test]
fn the_programs_help_is_printed() {
    for flag in ["--help", "-h"] {
        let output = lab(&["pair", PAIR, "--", flag]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(text.contains("--units <N>") && text.contains("--memory <MIB>"), "{text}");
    }
}
