//! The same without a terminal: plain lines, exit codes, answers as arguments.

use std::{fs, io::Write, process::Stdio};

use lab::practice::progress::{self, Progress};

use crate::scratch::{NAME, Scratch, await_that};

#[test]
fn without_a_terminal_one_check_says_all_in_lines_and_in_its_exit_code() {
    let scratch = Scratch::new();
    let (code, out, err) = scratch.run_to_verdict(&["practice", NAME, "--once"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], "building your copy");
    assert!(lines.contains(&"your copy runs beside a solution"), "{out}");
    assert!(out.contains("\nyour copy does not pass (") && out.contains("\n  live tasks: "), "{out}");
    assert_eq!(lines.last(), Some(&"missing: answer (a), fix (edit mine.rs), guard (write guard.rs, then g)"));
    scratch.save_mine_as("solution");
    let (code, out, _) = scratch.run_to_verdict(&["practice", NAME, "--once"]);
    assert!(code == 0 && out.contains("your copy passes ("), "{out}");
    assert!(Progress::read(scratch.root()).of(NAME).passed.is_some());
    fs::remove_file(scratch.file("mine.rs")).unwrap();
    let (code, out, _) = scratch.run(&["practice", NAME, "--once"]);
    let missing = "exercises/upload-scan/mine.rs is missing: `cargo lab practice upload-scan` in a terminal brings it back from start.rs\n";
    assert_eq!((code, out.as_str()), (2, missing));
    assert_eq!(scratch.running(), [] as [u32; 0]);
}

#[test]
fn lines_are_keys_and_the_end_of_input_is_the_end() {
    let scratch = Scratch::new();
    let mut child = scratch.lab(&["practice", NAME]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    writeln!(keys, "h").unwrap();
    drop(keys);
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    // On a busy machine there may be no verdict; but the check under way is made to its end.
    let verdict = match output.status.code() {
        Some(3) => "this machine was too busy to tell (",
        code => {
            assert_eq!(code, Some(1), "{out}");
            "your copy does not pass ("
        }
    };
    assert!(out.contains("hint 1 of 3: ") && out.contains(verdict), "{out}");
}

#[test]
fn a_signal_in_the_middle_of_a_check_leaves_nothing_running() {
    let scratch = Scratch::new();
    let mut child = scratch.lab(&["practice", NAME]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let runs = |side: &str| {
        let bin = format!("{NAME}-{side}");
        let is_it = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(&bin));
        scratch.running().iter().any(is_it)
    };
    await_that("the copy runs", || runs("mine") && runs("solution"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    await_that("nothing runs", || scratch.running().is_empty());
}

#[test]
fn the_list_says_what_was_done_and_survives_what_it_cannot_read() {
    let scratch = Scratch::new();
    progress::note(scratch.root(), NAME, |entry| entry.passed = Some("2026-11-28".into())).unwrap();
    let (code, out, _) = scratch.run(&["practice"]);
    let row = out.lines().find(|line| line.starts_with(NAME)).unwrap();
    assert_eq!((code, row.split_whitespace().collect::<Vec<_>>()[3..].join(" ")), (0, "- yes -".to_owned()));
    fs::write(progress::path(scratch.root()), "[upload-scan").unwrap();
    let (code, out, err) = scratch.run(&["practice"]);
    assert!(code == 0 && out.contains(NAME), "{out}");
    assert!(err.starts_with("warning: progress.toml is damaged (") && err.lines().count() == 1, "{err}");
}

#[test]
fn a_mistyped_name_gets_the_nearest_one() {
    let scratch = Scratch::new();
    for command in ["practice", "answer", "guard"] {
        let (code, out, err) = scratch.run(&[command, "upload-scam"]);
        let expected = "error: there is no exercise `upload-scam`: did you mean `upload-scan`?\n";
        assert_eq!((code, out.as_str(), err.as_str()), (2, "", expected), "{command}");
    }
}

/// What `answer` says as JSON, and its exit code.
fn answer(scratch: &Scratch, args: &[&str]) -> (i32, serde_json::Value) {
    let (code, out, err) = scratch.run(&[&["answer", NAME, "--json"], args].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
}

#[test]
fn each_answer_is_graded_by_itself_and_the_right_one_is_shown_only_when_asked_for() {
    let scratch = Scratch::new();
    let (code, all) = answer(&scratch, &["--show"]);
    assert_eq!(code, 1);
    let shown = |name: &str| all["grades"][name]["shown"].as_str().unwrap().to_owned();
    assert!(!progress::path(scratch.root()).exists(), "who only looks has not answered");
    let (line, count) = (shown("line"), shown("per_unit"));
    let letter = |name: &str| shown(name).split(':').next().unwrap().to_owned();
    let other = |letter: &str| if letter == "A" { "B" } else { "A" };
    let (waits, holder) = (letter("waits"), letter("holder"));
    let right = ["--line", &line, "--waits", &waits, "--holder", &holder, "--per-unit", &count];
    let (code, graded) = answer(&scratch, &right);
    assert_eq!((code, graded["right"].as_bool()), (0, Some(true)), "{graded}");
    let wrong =
        [("line", 1, "start.rs:1"), ("waits", 3, other(&waits)), ("holder", 5, other(&holder)), ("per_unit", 7, "9")];
    for (name, at, text) in wrong {
        let mut args = right;
        args[at] = text;
        let (code, graded) = answer(&scratch, &args);
        assert_eq!((code, graded["right"].as_bool()), (1, Some(false)), "{name}: {graded}");
        for part in ["line", "waits", "holder", "per_unit"] {
            assert_eq!(graded["grades"][part]["right"].as_bool(), Some(part != name), "{name}: {graded}");
        }
        assert!(graded["grades"][name]["shown"].is_null() && graded["grades"][name]["why"].is_string(), "{graded}");
    }
    let answered = Progress::read(scratch.root()).of(NAME).answered.unwrap();
    assert!(answered.is_right(), "what was right once stays right");
}

#[test]
fn an_answer_that_cannot_be_read_and_nobody_to_ask_are_wrong_arguments() {
    let scratch = Scratch::new();
    let check = |args: &[&str], expected: &str| {
        let (code, out, err) = scratch.run(&[&["answer", NAME], args].concat());
        assert_eq!((code, out.as_str(), err.as_str()), (2, "", expected));
    };
    check(&[], "error: there is no terminal to ask in: give --line, --waits, --holder and --per-unit\n");
    check(&["--waits", "E"], "error: `E` is no option: say A to D, or 1 to 4\n");
    check(&["--per-unit", "many"], "error: `many` is no count: say `2`, `0.25`, `1/4` or `none`\n");
    let lines = scratch.read("start.rs").lines().count();
    check(&["--line", "start.rs:9999"], &format!("error: start.rs has {lines} lines, and no line 9999\n"));
}
