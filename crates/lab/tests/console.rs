//! `scripts/pair`, for real: two tokio-consoles in tmux on two running programs, read off the screen; and that nothing of
//! all this is left, however it ends. A second tmux plays the reader's terminal.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// The longest wait for anything; on a busy machine a run takes 10 seconds.
const LIMIT: Duration = Duration::from_secs(120);
const SCENARIO: &str = "unconsumed-send";
/// Two consoles fit, one above the other.
const ROOM: (u32, u32) = (120, 45);

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
    terminal.await_consoles();
    let screen = terminal.screen();
    let both = screen.lines().any(|line| line.matches("(CONNECTED)").count() == 2);
    assert!(both && screen.lines().next().unwrap().contains("unconsumed-send-fix"), "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.exit_code(), "0");
}

#[test]
fn inside_the_readers_tmux_the_keys_that_are_named_reach_the_consoles() {
    let terminal = Terminal::open(ROOM);
    terminal.await_consoles();
    let screen = terminal.screen();
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

/// What a pair started: the tmux server, two programs, two consoles, and the server's socket.
struct Running {
    script: String,
    /// Programs first, then consoles, then the tmux server.
    processes: Vec<String>,
    socket: PathBuf,
}

impl Running {
    fn of(script: &str) -> Self {
        let name = format!("pair-{script}");
        let list = ["list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{pid}"];
        let panes = until("four panes", || {
            let out = tmux(&name, &list);
            let mut panes: Vec<_> =
                out.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
            panes.sort();
            (panes.len() == 4).then_some(panes)
        });
        let mut processes: Vec<_> = panes.iter().map(|pane| pane[1].clone()).collect();
        processes.push(panes[0][2].clone());
        let socket = PathBuf::from(tmux(&name, &["display", "-p", "#{socket_path}"]).trim());
        assert!(socket.exists() && processes.iter().all(|process| is_alive(process)), "{name} does not run");
        Self { script: script.to_owned(), processes, socket }
    }

    fn await_end(&self) {
        until(&format!("the end of {:?} and {}", self.processes, self.socket.display()), || {
            let all = self.processes.iter().chain([&self.script]);
            (all.filter(|process| is_alive(process)).count() == 0 && !self.socket.exists()).then_some(())
        });
    }
}

/// A reader's terminal, itself a tmux: so `$TMUX` is set for the script, as it is for many readers. Gone when dropped.
struct Terminal {
    name: String,
    scratch: Scratch,
}

impl Terminal {
    /// Opens a terminal of so many columns and rows that runs the script.
    fn open((columns, rows): (u32, u32)) -> Self {
        let scratch = Scratch::new();
        let name = format!("terminal-{}", scratch.0.file_name().unwrap().to_string_lossy());
        let (script, room) = (script(), [columns.to_string(), rows.to_string()]);
        let run = format!(
            "cd '{}'; sh -c 'echo $$ >pid; exec \"{}\" {SCENARIO}'; echo $? >code; sleep 600",
            scratch.0.display(),
            script.display()
        );
        let terminal = Self { name, scratch };
        terminal.tmux(&["new-session", "-d", "-x", &room[0], "-y", &room[1], &run, ";", "set", "status", "off"]);
        terminal
    }

    /// Opens a terminal in which another one's tmux is attached.
    fn attached_to(other: &Terminal) -> Self {
        let scratch = Scratch::new();
        let name = format!("glass-{}", scratch.0.file_name().unwrap().to_string_lossy());
        let glass = Self { name, scratch };
        let attach = format!("unset TMUX; exec tmux -u -L {} -f /dev/null attach", other.name);
        let room = [ROOM.0.to_string(), ROOM.1.to_string()];
        // Without a prefix of its own: it plays the keyboard.
        let set = [";", "set", "status", "off", ";", "set", "prefix", "None"];
        glass.tmux(&[&["new-session", "-d", "-x", &room[0], "-y", &room[1], &attach], &set[..]].concat());
        glass
    }

    fn tmux(&self, args: &[&str]) -> String {
        tmux(&self.name, args)
    }

    fn keys(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn await_screen(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let mut screen = String::new();
        until_or(&mut screen, what, |screen| {
            *screen = self.screen();
            is_there(screen).then_some(())
        });
    }

    /// Both consoles show that they are connected.
    fn await_consoles(&self) {
        self.await_screen("two connected consoles", |screen| screen.matches("(CONNECTED)").count() == 2);
    }

    fn script(&self) -> String {
        self.await_file("pid")
    }

    fn exit_code(&self) -> String {
        self.await_file("code")
    }

    fn await_file(&self, file: &str) -> String {
        let file = self.scratch.0.join(file);
        until(&format!("{}", file.display()), || {
            fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.tmux(&["display", "-p", "#{socket_path}"]);
        self.tmux(&["kill-server"]);
        let _ = fs::remove_file(socket.trim());
    }
}

/// A directory of its own for each use, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A child that does not outlive its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pair").canonicalize().unwrap()
}

/// The script without a terminal.
fn pair(args: &[&str]) -> Command {
    let mut command = Command::new(script());
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn tmux(server: &str, args: &[&str]) -> String {
    let mut command = Command::new("tmux");
    command.args(["-L", server, "-f", "/dev/null"]).args(args);
    let out = command.output().expect("tmux is missing: `apt install tmux` or `brew install tmux`");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn kill(signal: &str, process: &str) {
    let status = Command::new("kill").args([signal, process]).status().unwrap();
    assert!(status.success(), "kill {signal} {process}");
}

/// A zombie is dead: that nobody asked for its exit code yet is not the script's doing.
fn is_alive(process: &str) -> bool {
    let out = Command::new("ps").args(["-o", "stat=", "-p", process]).output().unwrap();
    let state = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// The count behind `Idle` in a console's heading.
fn idle(screen: &str) -> u64 {
    let count = screen.split("Idle (").nth(1).and_then(|rest| rest.split(')').next()).and_then(|n| n.parse().ok());
    count.unwrap_or_else(|| panic!("no idle count in {screen}"))
}

fn assert_refused(out: &Output, parts: &[&str]) {
    let words = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{words}");
    assert!(words.lines().count() == 1, "{words}");
    parts.iter().for_each(|part| assert!(words.contains(part), "`{part}` is not in {words}"));
}

/// Looks until there is an answer, for at most [`LIMIT`].
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    until_or(&mut String::new(), what, |_| look())
}

/// As [`until`]; `last` is what was seen last, for the message.
fn until_or<T>(last: &mut String, what: &str, mut look: impl FnMut(&mut String) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look(last) {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "waited {LIMIT:?} for {what}; last seen: {last}");
        sleep(Duration::from_millis(50));
    }
}
