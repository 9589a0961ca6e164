//! Whatever goes wrong, nothing is left: no program, no port, no file. And one line says what happened.

use crate::common::{Fixture, Lab, await_gone, await_that, lab};
use rustix::process::{Pid, Signal, kill_process};

/// Any real pair will do; this one is the book's first.
const PAIR: &str = "unconsumed-send";
const SLEEPER: &str = "fn main() { std::thread::sleep(std::time::Duration::from_secs(300)) }";

/// A pair under load, and the two programs of it.
fn under_load() -> (Lab, Vec<u32>) {
    let mut lab = Lab::start(lab(&["pair", PAIR, "--json"]));
    for side in ["leak", "fix"] {
        lab.line_with(&format!(r#""event":"sample","side":"{side}""#));
    }
    let programs = lab.children(PAIR);
    assert_eq!(programs.len(), 2, "a leak and a fix run");
    (lab, programs)
}

fn ends_by(signal: Signal, expected: i32) {
    let (lab, programs) = under_load();
    lab.signal(signal);
    let (code, _) = lab.end();
    assert_eq!(code, expected);
    await_gone(&programs);
}

#[test]
fn ctrl_c_ends_both_programs() {
    ends_by(Signal::INT, 130);
}

#[test]
fn sigterm_ends_both_programs() {
    ends_by(Signal::TERM, 143);
}

#[test]
fn a_closed_terminal_ends_both_programs() {
    ends_by(Signal::HUP, 129);
}

#[test]
fn kill_minus_nine_of_the_lab_ends_both_programs() {
    ends_by(Signal::KILL, -9);
}

#[test]
fn kill_minus_nine_of_a_program_ends_the_run_and_is_told() {
    let (lab, programs) = under_load();
    kill_process(Pid::from_raw(programs[0].cast_signed()).unwrap(), Signal::KILL).unwrap();
    let (code, words) = lab.end();
    assert_eq!(code, 1);
    assert!(words.contains("was killed by signal 9 before its report"), "{words}");
    await_gone(&programs);
}

#[test]
fn a_panic_in_a_program_ends_the_run_with_its_message() {
    let fixture = Fixture::new(r#"fn main() { panic!("the desk is on fire") }"#, SLEEPER);
    let output = fixture.run(&["pair", "on-fire"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("on-fire-leak ended with exit code 101 before its report"), "{words}");
    assert!(words.contains("the desk is on fire"), "{words}");
    await_that("the other program ends", || fixture.running().is_empty());
}

#[test]
fn a_build_error_is_told_in_the_compilers_words_and_nothing_runs() {
    let fixture = Fixture::new(SLEEPER, "fn main() { let rows: u32 = \"none\"; }");
    let output = fixture.run(&["pair", "on-fire"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("did not compile") && words.contains("mismatched types"), "{words}");
    assert_eq!(fixture.running(), [] as [u32; 0]);
}

#[test]
fn ctrl_c_during_a_build_ends_the_build() {
    let fixture = Fixture::new(SLEEPER, SLEEPER);
    fixture.write("scenarios/on-fire/build.rs", SLEEPER);
    let lab = Lab::start(fixture.lab(&["pair", "on-fire"]));
    await_that("the build script runs", || !fixture.running().is_empty());
    lab.signal(Signal::INT);
    assert_eq!(lab.end().0, 130);
    await_that("the build script ends", || fixture.running().is_empty());
}

#[test]
fn unknown_names_and_flags_are_one_line_and_exit_code_two() {
    let check = |args: &[&str], expected: &str| {
        let output = lab(args).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains(expected), "{words}");
    };
    check(&["pair", "unconsumed-sned"], "did you mean `unconsumed-send`?");
    check(&["pair", PAIR, "--sides", "leak,fxi"], "has no side `fxi`");
    check(&["record", "nothing-there"], "there is no scenario or exercise `nothing-there`");
    check(&["pair", PAIR, "--units", "5"], &format!("cargo lab pair {PAIR} -- --units 5"));
    check(&["pear"], "a similar subcommand exists: 'pair'");
}

#[test]
fn a_variable_that_hides_the_cfg_is_refused_with_the_repair() {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        let output = lab(&["pair", PAIR]).env(name, "-Cdebuginfo=0").output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(words.contains(&format!("unset {name}")) && words.lines().count() == 1, "{words}");
    }
}

#[test]
fn nothing_is_left_in_the_folder_for_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lab(&["pair", PAIR, "--", "--units", "20"]);
    let output = command.env("TMPDIR", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("unconsumed-send-leak leaks") || said.contains("this machine was too busy"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
