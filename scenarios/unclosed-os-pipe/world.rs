//! The outside world: the tools of a build. They are real child processes, and each ends by itself at once.

use tokio::process::Command;

/// Lines that the compiler prints.
pub(crate) const COMPILER_LINES: usize = 3;

/// Prints three lines and ends. A real service would start a compiler here, with a deadline.
pub(crate) fn compiler(commit: u64) -> Command {
    let mut command = Command::new("printf");
    command
        .args(["%s\\n", "resolving", "compiling"])
        .arg(format!("built {commit}"));
    command
}

/// Prints one line and ends.
pub(crate) fn deployer(commit: u64) -> Command {
    let mut command = Command::new("printf");
    command.arg("%s\\n").arg(format!("deployed {commit}"));
    command
}
