//! One process at a time: the tests of a run write the same files.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

/// How old the lock of a process gets that was killed while it had it. Nobody has it for longer than one small write.
const STALE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

/// The right to write a file, as long as the guard lives: a file beside it, which only one can make. `File::lock`, which would
/// do, came with Rust 1.89.
pub(super) struct Exclusive(PathBuf);

impl Exclusive {
    pub(super) fn over(path: &Path) -> io::Result<Self> {
        let lock = beside(path, ".lock");
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) if is_stale(&lock) => drop(fs::remove_file(&lock)),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        // Whoever comes next waits until it is stale.
        let _ = fs::remove_file(&self.0);
    }
}

/// Replaces the file in one step, so that readers need no lock.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = beside(path, ".new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn is_stale(lock: &Path) -> bool {
    let made = fs::metadata(lock).and_then(|lock| lock.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age >= STALE))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("leakcheck-{}-{name}", std::process::id()))
    }

    #[test]
    fn many_threads_write_one_after_another() {
        let path = path("many");
        fs::write(&path, "0").unwrap();
        let add = || {
            for _ in 0..20 {
                let _exclusive = Exclusive::over(&path).unwrap();
                let number: u32 = fs::read_to_string(&path).unwrap().parse().unwrap();
                replace(&path, &(number + 1).to_string()).unwrap();
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(add))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "80");
        assert!(!beside(&path, ".lock").exists() && !beside(&path, ".new").exists());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_lock_of_a_process_that_was_killed_is_taken_over() {
        let path = path("killed");
        let left = File::create(beside(&path, ".lock")).unwrap();
        left.set_modified(SystemTime::now() - 2 * STALE).unwrap();
        drop(Exclusive::over(&path).unwrap());
        assert!(!beside(&path, ".lock").exists());
    }
}
