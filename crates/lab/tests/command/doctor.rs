//! The doctor finds and names each thing that keeps a reader from the first run.

use std::{fs, net::TcpListener};

use crate::common::{lab, lab_in};

/// What the doctor says, and its exit code.
fn say(mut command: std::process::Command) -> (String, Option<i32>) {
    let output = command.output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn a_variable_that_hides_the_cfg_is_wrong() {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        let mut command = lab(&["doctor", "--port", "0"]);
        command.env(name, "-Ctarget-cpu=native");
        let (said, code) = say(command);
        assert!(said.contains(&format!("WRONG  {name} is set")) && said.contains(&format!("unset {name}")), "{said}");
        assert_eq!(code, Some(1));
    }
}

/// A console of this version, where `scripts/pair` installs it for this target directory.
#[cfg(unix)]
fn install_console(target: &std::path::Path, version: &str) {
    let bin = target.join("tools/bin");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join("tokio-console");
    fs::write(&program, format!("#!/bin/sh\necho tokio-console {version}\n")).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
#[cfg(unix)]
fn the_console_is_looked_for_where_it_is_installed() {
    let wanted = lab::plan::console_version();
    for (version, expected) in [(wanted, "ok     tokio-console"), ("0.0.1", "cargo install tokio-console --version")] {
        let target = tempfile::tempdir().unwrap();
        install_console(target.path(), version);
        let mut command = lab(&["doctor", "--port", "0"]);
        command.env("CARGO_TARGET_DIR", target.path());
        let (said, _) = say(command);
        let tools = target.path().join("tools");
        let line =
            said.lines().find(|line| line.contains(&*tools.to_string_lossy())).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn global_target_rustflags_are_named_with_their_file() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.toml"), "[target.'cfg(unix)']\nrustflags = ['-C', 'link-dead-code']\n").unwrap();
    let mut command = lab(&["doctor", "--port", "0"]);
    command.env("CARGO_HOME", home.path());
    let (said, _) = say(command);
    assert!(said.contains("global target rustflags") && said.contains("config.toml"), "{said}");
}

#[test]
fn a_taken_port_is_wrong() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let (said, code) = say(lab(&["doctor", "--port", &port]));
    assert!(said.contains(&format!("WRONG  port {port} is taken")) && said.contains("--port 0"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn missing_tools_are_named_with_the_command_that_installs_them() {
    // A folder with cargo and rustc alone is the whole path, and a copy of the workbook's outline has no tools.
    let (tools, outline) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outline.path().join("book.toml"), "").unwrap();
    fs::create_dir(outline.path().join("scenarios")).unwrap();
    let mut command = lab_in(outline.path(), &["doctor", "--port", "0"]);
    command.env("PATH", tools.path());
    let (said, _) = say(command);
    assert!(said.contains("tmux is missing") && said.contains("apt install tmux"), "{said}");
    assert!(
        said.contains("tokio-console is missing") && said.contains("cargo install tokio-console --version"),
        "{said}"
    );
}

#[test]
fn a_wrong_directory_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (said, code) = say(lab_in(folder.path(), &["doctor", "--port", "0"]));
    assert!(said.contains("WRONG  wrong directory"), "{said}");
    assert_eq!(code, Some(1));
}
