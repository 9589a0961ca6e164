//! A reader's terminal, what a pair starts in it, and whether all of it has ended.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// The longest wait for anything; on a busy machine a run takes 10 seconds.
const LIMIT: Duration = Duration::from_secs(120);
pub(crate) const SCENARIO: &str = "unconsumed-send";
/// Two consoles fit, one above the other.
pub(crate) const ROOM: (u32, u32) = (120, 45);

/// What a pair started: the tmux server, two programs, two consoles, and the server's socket.
pub(crate) struct Running {
    pub(crate) script: String,
    /// Programs first, then consoles, then the tmux server.
    pub(crate) processes: Vec<String>,
    socket: PathBuf,
}

impl Running {
    pub(crate) fn of(script: &str) -> Self {
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

    pub(crate) fn await_end(&self) {
        until(&format!("the end of {:?} and {}", self.processes, self.socket.display()), || {
            let all = self.processes.iter().chain([&self.script]);
            (all.filter(|process| is_alive(process)).count() == 0 && !self.socket.exists()).then_some(())
        });
    }
}

/// A reader's terminal, itself a tmux: so `$TMUX` is set for the script, as it is for many readers. Gone when dropped.
pub(crate) struct Terminal {
    name: String,
    scratch: Scratch,
}

impl Terminal {
    /// Opens a terminal of so many columns and rows that runs the script.
    pub(crate) fn open((columns, rows): (u32, u32)) -> Self {
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
    pub(crate) fn attached_to(other: &Terminal) -> Self {
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

    pub(crate) fn keys(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The screen that shows it. Another look may not: a console that draws anew is empty for a moment.
    pub(crate) fn await_screen(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        until_or(&mut screen, what, |screen| {
            *screen = self.screen();
            is_there(screen).then_some(())
        });
        screen
    }

    /// The screen on which both consoles show that they are connected.
    pub(crate) fn await_consoles(&self) -> String {
        self.await_screen("two connected consoles", |screen| screen.matches("(CONNECTED)").count() == 2)
    }

    pub(crate) fn script(&self) -> String {
        self.await_file("pid")
    }

    pub(crate) fn exit_code(&self) -> String {
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
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
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
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pair").canonicalize().unwrap()
}

/// The script without a terminal.
pub(crate) fn pair(args: &[&str]) -> Command {
    let mut command = Command::new(script());
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn tmux(server: &str, args: &[&str]) -> String {
    let mut command = Command::new("tmux");
    command.args(["-L", server, "-f", "/dev/null"]).args(args);
    let out = command.output().expect("tmux is missing: `apt install tmux` or `brew install tmux`");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

pub(crate) fn kill(signal: &str, process: &str) {
    let status = Command::new("kill").args([signal, process]).status().unwrap();
    assert!(status.success(), "kill {signal} {process}");
}

/// A zombie is dead: that nobody asked for its exit code yet is not the script's doing.
pub(crate) fn is_alive(process: &str) -> bool {
    let out = Command::new("ps").args(["-o", "stat=", "-p", process]).output().unwrap();
    let state = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// Looks until there is an answer, for at most [`LIMIT`].
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    until_or(&mut String::new(), what, |_| look())
}

/// As [`until`]; `last` is what was seen last, for the message.
pub(crate) fn until_or<T>(last: &mut String, what: &str, mut look: impl FnMut(&mut String) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look(last) {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "waited {LIMIT:?} for {what}; last seen: {last}");
        sleep(Duration::from_millis(50));
    }
}
