//! A practice as a reader sees it, in a terminal of a size of its own: read off the screen of a tmux.

use std::{fs, process::Command};

use lab::practice::progress::Progress;

use crate::scratch::{NAME, Scratch, await_that};

/// A tmux of its own, gone when dropped.
struct Terminal {
    name: String,
}

impl Terminal {
    /// Opens a terminal that practises, and says `the end` after it.
    fn practise(scratch: &Scratch, name: &str, (columns, rows): (u32, u32)) -> Self {
        let terminal = Self { name: format!("practice-{name}-{}", std::process::id()) };
        let (root, lab) = (scratch.root().display(), env!("CARGO_BIN_EXE_lab"));
        // What a terminal is like that waits for whole lines and shows them.
        let modes = "stty -a | tr ' ;' '\n\n' | grep -x -e icanon -e echo | xargs";
        let line = format!("cd '{root}' && '{lab}' practice {NAME}; echo the end; {modes}; sleep 600");
        let room = [columns.to_string(), rows.to_string()];
        terminal.tmux(&["new-session", "-d", "-x", &room[0], "-y", &room[1], &line, ";", "set", "status", "off"]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let out = Command::new("tmux").args(["-L", &self.name, "-f", "/dev/null"]).args(args).output();
        String::from_utf8(out.expect("tmux is missing: `apt install tmux` or `brew install tmux`").stdout).unwrap()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The screen's words, however they are wrapped.
    fn words(&self) -> String {
        self.screen().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn press(&self, keys: &str) {
        self.tmux(&["send-keys", keys]);
    }

    fn await_words(&self, words: &str) {
        await_that(&format!("the screen says `{words}`"), || self.words().contains(words));
    }

    /// Waits for a verdict. Where the machine was too busy for one, it is asked for again, as a reader does.
    fn await_verdict(&self, words: &str) {
        await_that(&format!("the verdict is `{words}`"), || {
            let said = self.words();
            if said.contains("Enter tries again") {
                self.press("Enter");
                await_that("it is tried again", || !self.words().contains("Enter tries again"));
            }
            said.contains(words)
        });
    }

    /// Waits for the end: the reader's screen is there again, and the terminal is as it was.
    fn await_end(&self) {
        self.await_words("the end");
        assert_eq!(self.tmux(&["display", "-p", "#{alternate_on}"]).trim(), "0");
        self.await_words("the end icanon echo");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.tmux(&["display", "-p", "#{socket_path}"]);
        self.tmux(&["kill-server"]);
        let _ = fs::remove_file(socket.trim());
    }
}

#[test]
fn a_save_brings_a_verdict_and_what_is_missing_next() {
    let scratch = Scratch::new();
    let terminal = Terminal::practise(&scratch, "save", (80, 24));
    terminal.await_verdict("your copy does not pass (");
    terminal.await_words("missing: answer (a), fix (edit mine.rs), guard");
    assert!(terminal.words().contains("live tasks:"), "{}", terminal.screen());
    scratch.save("mine.rs", &scratch.read("mine.rs").replace("fn main()", "fn main() -> nothing"));
    terminal.await_words("did not compile");
    assert!(terminal.words().contains("error"), "{}", terminal.screen());
    // A save in the middle of a run begins anew.
    scratch.save_mine_as("trap-buffer");
    terminal.await_words("your copy runs beside a solution");
    scratch.save_mine_as("solution");
    terminal.await_verdict("your copy passes (");
    terminal.await_words("missing: answer (a), guard");
    assert!(Progress::read(scratch.root()).of(NAME).passed.is_some());
    scratch.save("guard.rs", &scratch.read("guard-solution.rs"));
    terminal.await_words("guard: the guard fails on start.rs with a report that names");
    assert!(Progress::read(scratch.root()).of(NAME).guarded.is_some());
    terminal.press("q");
    terminal.await_end();
    assert_eq!(scratch.running(), [] as [u32; 0]);
}

#[test]
fn hints_come_one_step_at_a_time_and_a_solution_after_a_second_s() {
    let scratch = Scratch::new();
    let terminal = Terminal::practise(&scratch, "hints", (50, 14));
    terminal.await_words("h hint");
    for step in 1..=3 {
        terminal.press("h");
        terminal.await_words(&format!("hint {step} of 3: "));
    }
    terminal.press("s");
    terminal.await_words("s again shows the solution all the same");
    assert!(!Progress::read(scratch.root()).of(NAME).solution);
    terminal.press("s");
    terminal.await_words("other solutions: exercises/upload-scan/solution-collector.rs");
    terminal.press("Enter");
    terminal.await_words("h hint");
    let entry = Progress::read(scratch.root()).of(NAME);
    assert_eq!((entry.hints, entry.solution), (3, true));
    terminal.press("C-c");
    terminal.await_end();
    await_that("nothing runs", || scratch.running().is_empty());
}

#[test]
fn a_reset_asks_and_keeps_the_old_copy_and_a_missing_one_is_brought_back() {
    let scratch = Scratch::new();
    let (given, mine) = (scratch.as_mine("start"), scratch.as_mine("solution"));
    scratch.save("mine.rs", &mine);
    let terminal = Terminal::practise(&scratch, "reset", (80, 24));
    terminal.await_words("h hint");
    for (keys, is_reset) in [(["r", "x", "y"], false), (["r", "r", "y"], true)] {
        terminal.press(keys[0]);
        terminal.await_words("reset mine.rs to start.rs?");
        terminal.press(keys[1]);
        if is_reset {
            terminal.press(keys[2]);
            terminal.await_words("your copy is kept as mine.rs.old-1");
        } else {
            await_that("the question is gone", || !terminal.words().contains("reset mine.rs"));
            terminal.press(keys[2]);
            assert_eq!(scratch.read("mine.rs"), mine);
        }
    }
    assert_eq!(scratch.read("mine.rs"), given);
    assert_eq!(scratch.read("mine.rs.old-1"), mine);
    fs::remove_file(scratch.file("mine.rs")).unwrap();
    terminal.await_words("exercises/upload-scan/mine.rs is missing: r brings it back from start.rs");
    terminal.press("r");
    await_that("it is there", || scratch.file("mine.rs").exists());
    assert_eq!(scratch.read("mine.rs"), given);
    terminal.await_verdict("your copy does not pass (");
    terminal.press("q");
    terminal.await_end();
}

#[test]
fn a_practice_whose_copy_is_missing_offers_to_bring_it_back_first() {
    let scratch = Scratch::new();
    fs::remove_file(scratch.file("mine.rs")).unwrap();
    let terminal = Terminal::practise(&scratch, "missing", (80, 24));
    terminal.await_words("mine.rs is missing: Enter brings it back from start.rs");
    terminal.press("Enter");
    terminal.await_words("h hint");
    assert_eq!(scratch.read("mine.rs"), scratch.as_mine("start"));
    terminal.press("q");
    terminal.await_end();
}

#[test]
fn the_four_questions_are_asked_and_graded_in_the_terminal() {
    let scratch = Scratch::new();
    let terminal = Terminal::practise(&scratch, "answer", (80, 40));
    terminal.await_words("h hint");
    terminal.press("a");
    terminal.await_words("1. Which line of start.rs adds what stays?");
    for (prompt, answer) in
        [("line:", "nowhere"), ("names no line", "none"), ("2. What", "A"), ("3. Who", "1"), ("4. How many", "7")]
    {
        terminal.await_words(prompt);
        terminal.press(answer);
        terminal.press("Enter");
    }
    terminal.await_words("something stays: name the line that adds it");
    terminal.await_words("7 is too many");
    terminal.await_words("Enter goes back to your copy");
    terminal.press("Enter");
    terminal.await_words("h hint");
    let answered = Progress::read(scratch.root()).of(NAME).answered.unwrap();
    assert!(!answered.line && !answered.per_unit && !answered.date.is_empty());
    terminal.press("q");
    terminal.await_end();
    assert_eq!(scratch.running(), [] as [u32; 0]);
}
