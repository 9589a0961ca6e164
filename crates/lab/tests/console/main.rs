//! `scripts/pair`, for real: two tokio-consoles in tmux on two running programs, read off the screen; and that nothing of
//! all this is left, however it ends. A second tmux plays the reader's terminal.

mod terminal;

use std::{
    fs,
    process::{Command, Output},
};

use terminal::{Ended, ROOM, Running, SCENARIO, Scratch, Terminal, kill, pair, tmux, until};

// Wrong use first: each is refused in one line that says what to do.

#[test]
fn an_unknown_scenario_is_refused_with_the_known_ones() {
    for name in ["unconsumed-snd", "../scenarios/unconsumed-send", ""] {
        assert_refused(&pair(&[name]).output().unwrap(), &["no scenario", "unconsumed-send"]);
    }
    assert_refused(&pair(&["unconsumed-snd"]).output().unwrap(), &["did you mean `unconsumed-send`?"]);
}

#[test]
fn a_missing_side_is_refused_with_the_sides_there_are() {
    assert_refused(&pair(&[SCENARIO, "leak", "wrong-one"]).output().unwrap(), &["no side `wrong-one`", "leak, fix"]);
}

#[test]
fn wrong_arguments_are_refused_with_the_usage() {
    for (args, part) in [(&[][..], "NAME"), (&[SCENARIO, "leak"], "2 values required"), (&["--nothing"], "--nothing")] {
        let out = pair(args).output().unwrap();
        let words = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{words}");
        assert!(words.contains(part) && words.contains("Usage: scripts/pair NAME"), "{words}");
    }
}

#[test]
fn without_a_terminal_it_names_the_two_ways_that_need_none() {
    assert_refused(&pair(&[SCENARIO]).output().unwrap(), &["--capture DIR", "cargo lab pair unconsumed-send"]);
}

#[test]
fn rustflags_that_hide_the_cfg_are_refused() {
    let with = |name, flags| pair(&[SCENARIO]).env(name, flags).output().unwrap();
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        assert_refused(&with(name, "-Dwarnings"), &[&format!("unset {name}")]);
        assert_refused(&with(name, "--cfg=tokio_unstable"), &["no terminal"]);
    }
}

#[test]
fn without_tmux_it_says_how_to_get_it() {
    let scratch = Scratch::new();
    for tool in ["bash", "dirname", "grep", "sed", "tr", "cat"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        std::os::unix::fs::symlink(String::from_utf8_lossy(&found.stdout).trim(), scratch.0.join(tool)).unwrap();
    }
    let refused = pair(&[SCENARIO]).env("PATH", &scratch.0).output().unwrap();
    assert_refused(&refused, &["tmux is missing", "apt install tmux", "brew install tmux"]);
}

#[test]
fn a_terminal_that_is_too_small_is_refused() {
    for room in [(80, 45), (120, 34), (230, 17)] {
        let terminal = Terminal::open(room);
        assert_eq!(terminal.exit_code(), "2");
        let screen = terminal.screen();
        assert!(screen.contains(&format!("{} columns and {} rows", room.0, room.1)), "{screen}");
    }
}

#[test]
fn a_capture_shows_the_leak_and_its_fix() {
    let scratch = Scratch::new();
    let run = pair(&[SCENARIO, "--capture", scratch.0.to_str().unwrap()]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = fs::read_to_string(scratch.0.join("unconsumed-send.txt")).unwrap();
    let (leak, fix) = text.split_once("unconsumed-send-fix\n").expect("both titles");
    assert!(leak.starts_with("unconsumed-send-leak\n"), "{leak}");
    assert!(idle(leak) > 1000 && leak.contains("scenarios/unconsumed-send/leak.rs:"), "{leak}");
    // The main future is idle too.
    assert!(idle(fix) <= 1 && !fix.contains("scenarios/unconsumed-send/fix.rs:"), "{fix}");
    assert!(text.matches("http://127.0.0.1:6669/ (CONNECTED)").count() == 2, "{text}");
    let svg = fs::read_to_string(scratch.0.join("unconsumed-send.svg")).unwrap();
    assert!(svg.contains("<title>Terminal: unconsumed-send-leak and unconsumed-send-fix</title>"));
    assert!(svg.len() < 60_000 && svg.contains("scenarios/unconsumed-send/leak.rs:"), "{} bytes", svg.len());
    let files: Vec<_> = fs::read_dir(&scratch.0).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn where_each_console_gets_enough_columns_they_stand_side_by_side() {
    let terminal = Terminal::open((u32::from(lab::plan::columns_wide()), 40));
    let screen = terminal.await_consoles();
    let both = screen.lines().any(|line| line.matches("(CONNECTED)").count() == 2);
    assert!(both && screen.lines().next().unwrap().contains("unconsumed-send-fix"), "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.exit_code(), "0");
}

#[test]
fn inside_the_readers_tmux_the_keys_that_are_named_reach_the_consoles() {
    let terminal = Terminal::open(ROOM);
    let screen = terminal.await_consoles();
    assert!(screen.contains("Ctrl-b Ctrl-b o: the other console"), "{screen}");
    // What the reader looks at: keys go through the reader's tmux, and not past it.
    let glass = Terminal::attached_to(&terminal);
    glass.await_consoles();
    let inner = format!("pair-{}", terminal.script());
    let active = || tmux(&inner, &["display", "-p", "-t", "pair:consoles", "#{pane_index}"]);
    let before = active();
    ["C-b", "C-b", "o"].iter().for_each(|key| glass.keys(key));
    until("the other console", || (active() != before).then_some(()));
    glass.keys("q");
    assert_eq!(terminal.exit_code(), "0");
}

// The ends. Each leaves no process and no file.

#[test]
fn q_in_either_console_ends_everything() {
    for keys in [&["q"][..], &["C-b", "o", "q"]] {
        let code = leaves_nothing(|terminal, _| keys.iter().for_each(|key| terminal.keys(key)));
        assert_eq!(code, "0");
    }
}

#[test]
fn ctrl_c_ends_everything() {
    leaves_nothing(|terminal, _| terminal.keys("C-c"));
}

#[test]
fn detaching_ends_everything() {
    let code = leaves_nothing(|terminal, _| ["C-b", "d"].iter().for_each(|key| terminal.keys(key)));
    assert_eq!(code, "0");
}

#[test]
fn sigterm_sighup_and_sigkill_to_the_script_end_everything() {
    for signal in ["-TERM", "-HUP", "-KILL"] {
        leaves_nothing(|_, run| kill(signal, &run.script));
    }
}

#[test]
fn a_program_that_dies_ends_everything_and_is_named_as_the_reason() {
    for program in [0, 1] {
        let code = leaves_nothing(|terminal, run| {
            kill("-KILL", &run.processes[program]);
            terminal.await_screen("a program ended", |screen| screen.contains("a program ended"));
        });
        assert_eq!(code, "1");
    }
}

#[test]
fn a_console_that_dies_ends_everything() {
    leaves_nothing(|_, run| kill("-KILL", &run.processes[2]));
}

#[test]
fn a_closed_terminal_ends_everything() {
    let terminal = Terminal::open(ROOM);
    terminal.await_consoles();
    let run = Running::of(&terminal.script());
    drop(terminal);
    run.await_end();
}

#[test]
fn a_capture_ended_by_a_signal_leaves_nothing() {
    for signal in ["-TERM", "-KILL"] {
        let scratch = Scratch::new();
        let mut script = Ended(pair(&[SCENARIO, "--capture", scratch.0.to_str().unwrap()]).spawn().unwrap());
        let run = Running::of(&script.0.id().to_string());
        kill(signal, &run.script);
        assert!(!script.0.wait().unwrap().success());
        run.await_end();
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0, "half a capture is left");
    }
}

/// Opens a pair, ends it as told, and returns the script's exit code once all of it is gone.
fn leaves_nothing(end: impl Fn(&Terminal, &Running)) -> String {
    let terminal = Terminal::open(ROOM);
    terminal.await_consoles();
    let run = Running::of(&terminal.script());
    end(&terminal, &run);
    run.await_end();
    terminal.exit_code()
}

fn assert_refused(out: &Output, parts: &[&str]) {
    let words = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{words}");
    assert!(words.lines().count() == 1, "{words}");
    parts.iter().for_each(|part| assert!(words.contains(part), "`{part}` is not in {words}"));
}

/// The count behind `Idle` in a console's heading.
fn idle(screen: &str) -> u64 {
    let count = screen.split("Idle (").nth(1).and_then(|rest| rest.split(')').next()).and_then(|n| n.parse().ok());
    count.unwrap_or_else(|| panic!("no idle count in {screen}"))
}
