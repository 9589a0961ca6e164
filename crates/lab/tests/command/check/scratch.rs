//! A workbook of its own for tests that change an exercise: a copy of the exercise, the rest by reference, and a build directory with the
//! external crates of this build, so that only the workspace's own are compiled. It stays for the next run.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use crate::common::{await_that, lab_in, processes};

/// The exercise that is copied. Any will do whose service is `start` with a mistake in it.
pub(crate) const NAME: &str = "upload-scan";
/// Sides that may be changed, the reader's copy first.
const SIDES: [&str; 4] = ["mine", "trap-buffer", "trap-timeout", "trap-unlimited"];
/// What a test may wait for, beyond a check on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// Where a unit of work begins in that service.
pub(crate) const UNIT: &str = "let _place = self.room.acquire()";
/// Where the service starts.
pub(crate) const START: &str = "Arc::new(Self { engines, room";
/// Where a task of its begins.
pub(crate) const TASK: &str = "let finding = ask(engine";

/// One workbook for all tests of this binary, one test at a time.
static SCRATCH: OnceLock<Mutex<Scratch>> = OnceLock::new();

/// A workbook that may be changed.
pub(crate) struct Scratch {
    folder: PathBuf,
    /// One process at a time.
    _lock: fs::File,
    /// What each side is as it is given.
    given: BTreeMap<String, String>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The workbook, with the exercise as it is given.
pub(crate) fn scratch() -> MutexGuard<'static, Scratch> {
    let scratch = SCRATCH.get_or_init(|| Mutex::new(Scratch::new()));
    let scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
    scratch.restore();
    scratch
}

impl Scratch {
    fn new() -> Self {
        let root = evidence::root::find().unwrap().canonicalize().unwrap();
        let target = lab::cargo::target_directory(&root).canonicalize().unwrap();
        // In the build directory, which is thrown away with it, and where files can be linked.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check");
        fs::create_dir_all(&folder).unwrap();
        let lock = fs::File::create(folder.join("lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let here = folder.as_path();
        for old in ["controls", "crates", "scenarios", "book", "book.toml"].map(|part| here.join(part)) {
            let _ = fs::remove_file(old);
        }
        for part in ["controls", "crates", "scenarios", "book", "book.toml"] {
            symlink(root.join(part), here.join(part)).unwrap();
        }
        fs::create_dir_all(here.join("exercises").join(NAME)).unwrap();
        let own = format!("exercises/{NAME}");
        let copied = fs::read_dir(root.join(&own))
            .unwrap()
            .flatten()
            .map(|entry| format!("{own}/{}", entry.file_name().display()));
        for file in copied.chain(["Cargo.toml", "Cargo.lock"].map(str::to_owned)) {
            copy(&root.join(&file), &here.join(&file));
        }
        // Inside of the workbook its configuration holds here too; read twice, it would pass every flag twice.
        if !here.starts_with(&root) {
            fs::create_dir_all(here.join(".cargo")).unwrap();
            copy(&root.join(".cargo/config.toml"), &here.join(".cargo/config.toml"));
        }
        seed(&target.join("debug"), &here.join("target/debug"), &own_crates(&root));
        let text = |side: &str| fs::read_to_string(root.join(&own).join(format!("{side}.rs"))).unwrap();
        let given = SIDES.iter().map(|side| ((*side).to_owned(), text(side))).collect();
        Self { folder, given, _lock: lock }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.folder
    }

    /// The reader's copy.
    pub(crate) fn path(&self, side: &str) -> PathBuf {
        self.root().join(format!("exercises/{NAME}/{side}.rs"))
    }

    /// Writes a side, where it is not so already: what is newer is compiled anew.
    pub(crate) fn write(&self, side: &str, text: &str) {
        let path = self.path(side);
        if fs::read_to_string(&path).unwrap_or_default() != text {
            fs::write(path, text).unwrap();
        }
    }

    /// Writes the service as it is given, with some text before `place`, as a side.
    pub(crate) fn write_with(&self, side: &str, place: &str, text: &str) {
        let given = &self.given[SIDES[0]];
        assert_eq!(given.matches(place).count(), 1, "`{place}` stands once in the service");
        self.write(side, &given.replace(place, &format!("{text}{place}")));
    }

    fn restore(&self) {
        self.given.iter().for_each(|(side, text)| self.write(side, text));
    }

    /// The lab in this workbook, which builds here.
    pub(crate) fn lab(&self, args: &[&str]) -> Command {
        let mut command = lab_in(self.root(), args);
        command.env("CARGO_TARGET_DIR", self.root().join("target")).env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs the lab to its end. Whatever it says, nothing that it started runs on.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let since = Instant::now();
        let output = self.lab(args).output().unwrap();
        assert!(since.elapsed() < LIMIT, "it took {:?}", since.elapsed());
        self.nothing_runs();
        Said::of(output)
    }

    /// Checks the reader's copy.
    pub(crate) fn check(&self) -> Said {
        self.run(&["check", NAME])
    }

    /// Checks the service with a text before a place, one for each of [`SIDES`], at the same time: most of a check is waiting.
    pub(crate) fn checks(&self, spoiled: &[(&str, &str)]) -> Vec<Said> {
        let sides = SIDES.iter().zip(spoiled);
        let labs = sides.map(|(side, (place, text))| {
            self.write_with(side, place, text);
            let mut lab = self.lab(&["check", NAME, "--side", side]);
            lab.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        let labs: Vec<_> = labs.collect();
        let said = labs.into_iter().map(|lab| Said::of(lab.wait_with_output().unwrap())).collect();
        self.nothing_runs();
        said
    }

    /// Programs of this workbook that run.
    pub(crate) fn running(&self) -> Vec<u32> {
        let target = self.root().join("target").canonicalize().unwrap();
        processes(|exe| exe.starts_with(&target))
    }

    pub(crate) fn nothing_runs(&self) {
        await_that("no program of the exercise runs", || self.running().is_empty());
    }
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The line of a fault. There is one such line.
    pub(crate) fn fault(&self, key: &str) -> &str {
        let lines: Vec<_> = self.stdout.lines().filter(|line| line.starts_with(&format!("  {key}: "))).collect();
        assert_eq!(lines.len(), 1, "one line begins with {key}: {self:?}");
        lines[0]
    }
}

/// Copies what is not so already: what is newer is compiled anew.
fn copy(from: &Path, to: &Path) {
    let text = fs::read(from).unwrap();
    if fs::read(to).ok().as_ref() != Some(&text) {
        fs::write(to, text).unwrap();
    }
}

/// How the files of the workspace's own crates begin, as cargo and rustc write them.
fn own_crates(root: &Path) -> Vec<String> {
    let folders = ["controls", "crates", "scenarios", "exercises"]
        .into_iter()
        .flat_map(|part| fs::read_dir(root.join(part)).unwrap().flatten());
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .flat_map(|name| {
            [format!("lib{}-", name.replace('-', "_")), format!("{}-", name.replace('-', "_")), format!("{name}-")]
        })
        .collect()
}

/// Links whatever external crates left in a build directory. What cargo writes anew it does not write into a file that is there.
fn seed(from: &Path, to: &Path, own: &[String]) {
    let is_own = |name: &str| own.iter().any(|begin| name.starts_with(begin.as_str()));
    for part in ["deps", ".fingerprint", "build"] {
        fs::create_dir_all(to.join(part)).unwrap();
        for entry in fs::read_dir(from.join(part)).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_library = part != "deps" || [".rlib", ".rmeta", ".so", ".d"].iter().any(|end| name.ends_with(end));
            if is_library && !is_own(&name) && !to.join(part).join(&name).exists() {
                link(&entry.path(), &to.join(part).join(&name));
            }
        }
    }
}

fn link(from: &Path, to: &Path) {
    if !from.is_dir() {
        // On another disk it is a copy, with the time of the file: cargo compares times.
        if fs::hard_link(from, to).is_err() {
            let status = Command::new("cp").arg("-p").args([from, to]).status().unwrap();
            assert!(status.success(), "cannot copy {}", from.display());
        }
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        link(&entry.path(), &to.join(entry.file_name()));
    }
}
