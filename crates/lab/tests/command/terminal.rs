//! The live view as a reader sees it, in a terminal of a size of its own: read off the screen of a tmux.

use std::process::Command;

use crate::common::await_that;

/// A tmux of its own, gone when dropped.
struct Terminal {
    name: String,
}

impl Terminal {
    /// Opens a terminal that runs the lab, and says `the end` after it.
    fn run(name: &str, (columns, rows): (u32, u32), args: &str) -> Self {
        let terminal = Self { name: format!("view-{name}-{}", std::process::id()) };
        let (root, lab) = (evidence::root::find().unwrap(), env!("CARGO_BIN_EXE_lab"));
        let line = format!("cd '{}' && '{lab}' {args}; echo the end; sleep 600", root.display());
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

    /// Waits until both sides are under load on the screen.
    fn await_load(&self) {
        await_that("both sides are under load", || self.screen().matches("load, ").count() == 2);
    }

    /// Waits for the end; all that was ever on the screen and was not wiped off.
    fn all(&self) -> String {
        await_that("the lab ends", || self.screen().contains("the end"));
        self.tmux(&["capture-pane", "-p", "-S", "-"])
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.tmux(&["display", "-p", "#{socket_path}"]);
        self.tmux(&["kill-server"]);
        let _ = std::fs::remove_file(socket.trim());
    }
}

/// The picture is there once: its heading, its last row, and nothing of an earlier one.
fn is_there_once(all: &str) {
    for part in ["unconsumed-send: tasks over ", "console: tasks"] {
        assert_eq!(all.lines().filter(|line| line.contains(part)).count(), 1, "`{part}` in:\n{all}");
    }
}

#[test]
fn nothing_of_the_live_view_is_left_behind_in_a_small_terminal() {
    let terminal = Terminal::run("small", (50, 20), "pair unconsumed-send");
    let all = terminal.all();
    is_there_once(&all);
    assert!(all.contains("look deeper: scripts/pair"), "{all}");
}

#[test]
fn nothing_is_left_behind_when_the_window_changes_in_the_middle_of_a_run() {
    let terminal = Terminal::run("changes", (80, 24), "pair unconsumed-send");
    terminal.await_load();
    for (columns, rows) in [("50", "20"), ("50", "14"), ("120", "40")] {
        terminal.tmux(&["resize-window", "-x", columns, "-y", rows]);
        let heading = || terminal.screen().matches("unconsumed-send: tasks over ").count();
        await_that("the view is there once", || heading() == 1);
    }
    is_there_once(&terminal.all());
}

#[test]
fn after_ctrl_c_the_readers_screen_is_there_again() {
    let terminal = Terminal::run("ctrl-c", (80, 24), "pair unconsumed-send -- --units 100000");
    terminal.await_load();
    terminal.tmux(&["send-keys", "C-c"]);
    is_there_once(&terminal.all());
    assert_eq!(terminal.tmux(&["display", "-p", "#{alternate_on}"]).trim(), "0");
}
