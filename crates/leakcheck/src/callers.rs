//! The line of the user's own code that led to a spawn inside a dependency.
//!
//! Tokio tells the line of the spawn, and nothing of who called it. A backtrace does, at the cost of some microseconds and some
//! kilobytes for each living task. So they are taken only where the environment asks for them, and resolved only for what is
//! left.

use std::{
    backtrace::Backtrace,
    collections::HashMap,
    env, fs,
    hash::BuildHasherDefault,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use crate::{hash::Spread, lock::lock, report::shorten};

/// How many backtraces of one spawn line are resolved: each takes a millisecond.
const RESOLVED_MAX: usize = 100;

static WANTED: LazyLock<bool> =
    LazyLock::new(|| env::var_os("LEAKCHECK_BACKTRACE").is_some_and(|value| !value.is_empty() && value != "0"));

/// The backtraces of the living tasks of one runtime, where the environment asks for them.
pub(crate) struct Callers(Option<Mutex<ByTask>>);

type ByTask = HashMap<u64, Arc<Backtrace>, BuildHasherDefault<Spread>>;

/// Who called the spawn of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    /// The innermost line outside of dependencies, as `file:line:column`.
    pub(crate) caller: Option<String>,
    /// Whether that happened while a lazy value, which may be a static, was initialised.
    pub(crate) in_lazy: bool,
}

impl Default for Callers {
    fn default() -> Self {
        Self(WANTED.then(Mutex::default))
    }
}

impl Callers {
    /// Called by the spawn hook, on the thread that spawns.
    pub(crate) fn spawned(&self, task: u64) {
        if let Some(all) = &self.0 {
            let backtrace = Arc::new(Backtrace::force_capture());
            lock(all).insert(task, backtrace);
        }
    }

    pub(crate) fn ended(&self, task: u64) {
        if let Some(all) = &self.0 {
            lock(all).remove(&task);
        }
    }

    /// Who called the spawns of these tasks, which were all spawned at one line. Empty where no backtraces are taken.
    pub(crate) fn of(&self, tasks: &[u64]) -> Vec<(Origin, usize)> {
        let Some(all) = &self.0 else { return Vec::new() };
        let mut origins = HashMap::<Origin, usize>::new();
        for task in tasks.iter().take(RESOLVED_MAX) {
            // The lock is free again while the backtrace is resolved: other tasks may be spawned meanwhile.
            let backtrace = lock(all).get(task).cloned();
            if let Some(backtrace) = backtrace {
                *origins.entry(origin(&format!("{backtrace:#}"))).or_default() += 1;
            }
        }
        let mut origins: Vec<_> = origins.into_iter().collect();
        origins.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
        origins
    }
}

/// Whether cargo has put the file's crate into a folder of its own: a registry's, or a checkout's.
pub(crate) fn is_dependency(file: &str) -> bool {
    shorten(file).len() < file.len()
}

/// Reads a backtrace as the standard library prints it: the name of each frame, and in a line below its place if it is known.
fn origin(backtrace: &str) -> Origin {
    let mut origin = Origin::default();
    for line in backtrace.lines().map(str::trim_start) {
        // A place where there is one, a name where there is none: line tables may have names without their modules.
        origin.in_lazy |= LAZY.iter().any(|part| line.contains(part));
        let Some(place) = line.strip_prefix("at ") else { continue };
        let file = place.rsplitn(3, ':').nth(2).unwrap_or(place);
        if origin.caller.is_none() && !is_machinery(file) {
            origin.caller = Some(relative(place));
        }
    }
    origin
}

/// Parts of the names and files of what initialises something once.
const LAZY: [&str; 9] = [
    "::once::",
    "::once_lock::",
    "::lazy_lock::",
    "once_cell::",
    "lazy_static::",
    "/sync/once_cell.rs",
    "/once_cell-",
    "/lazy_static-",
    "/lazy_lock.rs",
];

/// Dependencies, the standard library, and this crate's own sources.
fn is_machinery(file: &str) -> bool {
    let own = file.starts_with(concat!(env!("CARGO_MANIFEST_DIR"), "/src/"));
    own || is_dependency(file) || file.starts_with("/rustc/") || file.contains("/rustlib/")
}

/// The place as a spawn line has it: cargo gives the compiler paths from the workspace's root.
fn relative(place: &str) -> String {
    static ROOT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let here = env::current_dir().ok()?;
        let root = here.ancestors().find(|folder| fs::exists(folder.join("Cargo.lock")).unwrap_or(false))?;
        Some(root.to_owned())
    });
    let from_root = ROOT.as_deref().and_then(|root| Path::new(place).strip_prefix(root).ok());
    from_root.map_or(place.to_owned(), |place| place.display().to_string())
}
