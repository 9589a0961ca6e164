//! The lab as a reader starts it, and a look at what it leaves running.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing that is waited for takes longer, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A lab that runs, killed with the test.
pub(crate) struct Lab {
    pub(crate) child: Child,
    pub(crate) lines: std::io::Lines<BufReader<Box<dyn std::io::Read + Send>>>,
}

/// The lab's binary, in the workbook's folder.
pub(crate) fn lab(args: &[&str]) -> Command {
    lab_in(&evidence::root::find().unwrap(), args)
}

/// The lab's binary, in another folder.
pub(crate) fn lab_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

impl Lab {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout: Box<dyn std::io::Read + Send> = Box::new(child.stdout.take().unwrap());
        let lines = BufReader::new(stdout).lines();
        Self { child, lines }
    }

    /// Reads lines until one contains `part`.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        let found = self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("the lab ended without saying `{part}`: {}", self.words()))
    }

    /// Lines that are read elsewhere.
    pub(crate) fn no_lines() -> std::io::Lines<BufReader<Box<dyn std::io::Read + Send>>> {
        BufReader::new(Box::new(std::io::empty()) as Box<dyn std::io::Read + Send>).lines()
    }

    /// The most memory it has held.
    pub(crate) fn memory_max_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Processes started by this lab that run a binary whose name contains `part`.
    pub(crate) fn children(&self, part: &str) -> Vec<u32> {
        let is_ours = |pid: &u32| stat(*pid).is_some_and(|(_, parent)| parent == self.child.id());
        processes(|exe| exe.file_name().is_some_and(|name| name.to_string_lossy().contains(part)))
            .into_iter()
            .filter(is_ours)
            .collect()
    }

    /// What it said on its error output; ends it first.
    fn words(&mut self) -> String {
        let _ = self.child.kill();
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut text);
        text
    }

    /// Ends it; exit code and error output.
    pub(crate) fn end_by(self, signal: Signal) -> (i32, String) {
        self.signal(signal);
        self.end()
    }

    /// Waits for its end; exit code and error output. The code is negative for a signal.
    pub(crate) fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the lab does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        (status.code().unwrap_or_else(|| -signal.unwrap()), self.words())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Not kill: the lab would leave its build of the book behind. A child that was waited for gets no signal.
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Every process whose binary passes.
pub(crate) fn processes(passes: impl Fn(&Path) -> bool) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| passes(&exe))).collect()
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Waits until none of these runs any more. A zombie has ended.
pub(crate) fn await_gone(pids: &[u32]) {
    await_that("they end", || pids.iter().all(|pid| stat(*pid).is_none_or(|(state, _)| state == 'Z')));
}

/// Waits for something to come true.
pub(crate) fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A workbook of one scenario whose programs need no crate, for what no real scenario does.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    /// A scenario `on-fire` with these two programs.
    pub(crate) fn new(leak: &str, fix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[workspace]\nresolver = '3'\nmembers = ['scenarios/*']\n");
        write("book/src/SUMMARY.md", "# Summary\n\n- [On fire](on-fire.md)\n");
        write("book.toml", "[book]\ntitle = 'Fixture'\n");
        write("book/src/SUMMARY.md", "# Summary\n\n- [On fire](on-fire.md)\n");
        let bins = ["leak", "fix"].map(|side| format!("[[bin]]\nname = 'on-fire-{side}'\npath = '{side}.rs'\n"));
        let lab = "unit = 'call'\nunits = 1\nrate = 1\ngauge = 'tasks'\nsurvivors = { leak = { tasks = 1 }, fix = { tasks = 0 } }";
        write(
            "scenarios/on-fire/Cargo.toml",
            &format!(
                "[package]\nname = 'on-fire'\nedition = '2024'\n{}\n[package.metadata.lab]\n{lab}\n",
                bins.concat()
            ),
        );
        write("scenarios/on-fire/leak.rs", leak);
        write("scenarios/on-fire/fix.rs", fix);
        Self { folder }
    }

    /// A book of one page, beside a scenario that nobody runs.
    pub(crate) fn book() -> Self {
        let fixture = Self::new("fn main() {}", "fn main() {}");
        fixture.write("book.toml", "[book]\nsrc = 'book/src'\n[build]\nbuild-dir = 'target/book'\n");
        fixture.write("book/src/SUMMARY.md", "# Summary\n\n[A little book](README.md)\n");
        fixture.write("book/src/README.md", "# A little book\n");
        fixture
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn lab(&self, args: &[&str]) -> Command {
        let mut command = lab_in(self.folder.path(), args);
        command.env("CARGO_TARGET_DIR", self.target());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.lab(args).output().unwrap()
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    /// Programs of this fixture that run.
    pub(crate) fn running(&self) -> Vec<u32> {
        let target = self.target().canonicalize().unwrap_or_else(|_| self.target());
        processes(|exe| exe.starts_with(&target))
    }
}
