//! Child processes that a test leaves running. Linux says which thread started a child, so those of a runtime's threads are
//! the test's, whatever other tests do at the same time.

use std::{collections::BTreeSet, fs};

use crate::report::Child;

/// Letters kept of a command.
const COMMAND_MAX: usize = 200;

/// The children of these threads that run; none where the system does not tell.
pub(crate) fn of(threads: impl Iterator<Item = u32>) -> Vec<Child> {
    alive(threads).into_iter().map(|pid| Child { pid, command: command(pid) }).collect()
}

/// The numbers of the children of these threads that run.
///
/// The kernel lists a child at the thread that started it. When that thread ends, its children go to another thread of the
/// process, mostly the first; then nobody can say whose they were. A kernel without this list tells nothing.
pub(crate) fn alive(threads: impl Iterator<Item = u32>) -> BTreeSet<u32> {
    if !has_children() {
        return BTreeSet::new();
    }
    let list = |thread| fs::read_to_string(format!("/proc/self/task/{thread}/children")).unwrap_or_default();
    let numbers = |list: String| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>();
    threads.flat_map(|thread| numbers(list(thread))).filter(|pid| runs(*pid)).collect()
}

/// Whether any thread of this process has a child. One system call, so that a clean test opens no file.
#[cfg(target_os = "linux")]
fn has_children() -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, look), Err(rustix::io::Errno::CHILD))
}

#[cfg(not(target_os = "linux"))]
fn has_children() -> bool {
    true
}

/// Whether the process has not ended: one that has stays in the list until somebody waits for it.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state is the first field after the name, which is in parentheses and may have any letters.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| !matches!(state, "Z" | "X" | "x"))
}

/// The command line, or the name where the system hides it.
fn command(pid: u32) -> String {
    let read = |file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let arguments = read("cmdline");
    let bytes = if arguments.is_empty() { read("comm") } else { arguments };
    let text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(COMMAND_MAX)
        .collect();
    text.trim_end().to_owned()
}
