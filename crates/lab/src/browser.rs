//! Opens the reader's browser. The crates that do this bring half of Unicode along, and a newcomer waits for every crate.

use std::{
    io::IsTerminal,
    process::{ExitStatus, Stdio},
};

use tokio::process::Command;

/// Opens `url` where there is a desktop to open it on, and waits for the program that does; none where there is nothing to open.
/// The browser is the reader's to end, not the lab's.
pub(crate) async fn open(url: &str) -> Option<std::io::Result<ExitStatus>> {
    let has_desktop = !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if !std::io::stdout().is_terminal() || !has_desktop {
        return None;
    }
    let opener: &[&str] = match std::env::consts::OS {
        "macos" => &["open"],
        "windows" => &["cmd", "/c", "start"],
        _ => &["xdg-open"],
    };
    Some(run(opener, url).await)
}

/// Whoever starts a program waits for it: one that nobody waits for stays a zombie for as long as the lab serves.
async fn run(opener: &[&str], url: &str) -> std::io::Result<ExitStatus> {
    let mut command = Command::new(opener[0]);
    command.args(&opener[1..]).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn()?.wait().await
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_program_that_opens_is_waited_for_and_leaves_no_zombie() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let script = format!("echo $$ \"$0\" > {}", told.display());
        assert!(run(&["sh", "-c", &script], "http://127.0.0.1:1/").await.unwrap().success());
        let told = std::fs::read_to_string(told).unwrap();
        let (pid, url) = told.trim().split_once(' ').unwrap();
        assert_eq!(url, "http://127.0.0.1:1/");
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "a zombie");
        assert!(run(&["no-such-opener"], "").await.is_err());
    }
}
