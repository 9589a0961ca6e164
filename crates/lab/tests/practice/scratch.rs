//! A workbook to practise in: one of its exercises is a copy, all else is the real one's. It has a `target` of its own, which begins with the
//! compiled crates of others and is kept from run to run.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use evidence::{catalogue::Catalogue, exercise::Exercise, root};

/// The exercise that is a copy.
pub(crate) const NAME: &str = "upload-scan";
/// Nothing that is waited for takes longer, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);
/// Two lines that a solution does not have.
const GUARD: &str = "mod world;\n\n#[cfg(test)]\nmod guard;\n";

/// One test at a time has it: they share the copy.
static ALONE: Mutex<()> = Mutex::new(());

/// The workbook, as it is in the repository.
pub(crate) struct Scratch {
    root: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Scratch {
    /// Makes it new, but for what was compiled.
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = Self { root: Path::new(env!("CARGO_TARGET_TMPDIR")).join("practice"), _alone: alone };
        scratch.fill();
        scratch
    }

    fn fill(&self) {
        let real = root::find().expect("the tests run inside the workbook");
        fs::create_dir_all(&self.root).unwrap();
        for entry in fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().path()) {
            match fs::symlink_metadata(&entry).unwrap() {
                _ if entry.ends_with("target") => {}
                data if data.is_dir() => fs::remove_dir_all(&entry).unwrap(),
                _ => fs::remove_file(&entry).unwrap(),
            }
        }
        // Not `.cargo`: the real one lies above, and its flags would count twice.
        for name in ["controls", "crates", "scenarios", "book"] {
            symlink(real.join(name), self.root.join(name)).unwrap();
        }
        for name in ["Cargo.toml", "Cargo.lock", "book.toml", "clippy.toml"] {
            fs::copy(real.join(name), self.root.join(name)).unwrap();
        }
        fs::create_dir(self.root.join("exercises")).unwrap();
        for entry in fs::read_dir(real.join("exercises")).unwrap().map(|entry| entry.unwrap()) {
            let to = self.root.join("exercises").join(entry.file_name());
            if entry.file_name() != NAME {
                symlink(entry.path(), to).unwrap();
                continue;
            }
            fs::create_dir(&to).unwrap();
            for file in fs::read_dir(entry.path()).unwrap().map(|file| file.unwrap()) {
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
        if !self.root.join("target/debug").exists() {
            self.seed(&real);
        }
    }

    /// What others have compiled is the same here. Cargo writes its notes into the files that are there: linked, they would be those of the workbook, and it would be built anew.
    fn seed(&self, real: &Path) {
        fs::create_dir_all(self.root.join("target/debug")).unwrap();
        for (name, how) in [("deps", "-al"), ("build", "-al"), (".fingerprint", "-a")] {
            let from = real.join("target/debug").join(name);
            let status = Command::new("cp").arg(how).arg(&from).arg(self.root.join("target/debug")).status().unwrap();
            assert!(status.success() || !from.exists(), "cannot seed {}", from.display());
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The exercise that is a copy.
    pub(crate) fn exercise(&self) -> Exercise {
        Catalogue::read(&self.root).unwrap().find_exercise(NAME).unwrap().clone()
    }

    /// A file of the exercise.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join("exercises").join(NAME).join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Saves a file of the exercise.
    pub(crate) fn save(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    /// Saves a side as the reader's copy.
    pub(crate) fn save_mine_as(&self, side: &str) {
        self.save("mine.rs", &self.as_mine(side));
    }

    /// A side's text as a reader's copy has it.
    pub(crate) fn as_mine(&self, side: &str) -> String {
        let text = self.read(&format!("{side}.rs")).replacen(&format!("{NAME}-{side}"), &format!("{NAME}-mine"), 1);
        if text.contains("mod guard;") { text } else { text.replacen("mod world;\n", GUARD, 1) }
    }

    /// The lab, in this workbook, without a terminal.
    pub(crate) fn lab(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(args).current_dir(&self.root).stdin(Stdio::null()).env("RUST_BACKTRACE", "0");
        command
    }

    /// Exit code, standard output and error output of the lab.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.lab(args).output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (status.code().unwrap_or(-1), stdout, stderr)
    }

    /// As [`Scratch::run`], again where this machine was too busy for a verdict.
    pub(crate) fn run_to_verdict(&self, args: &[&str]) -> (i32, String, String) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let said = self.run(args);
            if said.0 != 3 {
                return said;
            }
            assert!(Instant::now() < deadline, "this machine is too busy for any verdict: {}", said.1);
        }
    }

    /// Processes that run something built here.
    pub(crate) fn running(&self) -> Vec<u32> {
        let target = self.root.join("target").canonicalize().unwrap();
        let pids =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_ours = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(&target));
        pids.filter(is_ours).collect()
    }
}

/// Waits for something to come true.
pub(crate) fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
