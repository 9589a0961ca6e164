//! A whole suite that adopts leakcheck: the modes that the environment asks for. Each test runs the samples in processes of
//! their own.

mod modes;
mod sample;
mod shrink;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A folder for one test, empty.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suite").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn run_file(&self) -> PathBuf {
        self.0.join("run.txt")
    }

    fn baseline(&self) -> PathBuf {
        self.0.join("baseline.txt")
    }

    /// This program, to run the samples whose names begin so, as a process without the environment of this one.
    fn samples(&self, filter: &str) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--ignored", &format!("sample::{filter}")]);
        clean(&mut command).env("LEAKCHECK_REPORT", self.run_file());
        command
    }

    /// The command `cargo leakcheck`.
    fn cargo_leakcheck(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-leakcheck"));
        command.arg("leakcheck").args(arguments);
        clean(&mut command).env("LEAKCHECK_REPORT", self.run_file());
        command
    }

    fn table(&self) -> String {
        let output = self.cargo_leakcheck(&["table"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn clean(command: &mut Command) -> &mut Command {
    ["LEAKCHECK", "LEAKCHECK_BASELINE", "LEAKCHECK_BACKTRACE", "NEXTEST_RUN_ID"].iter().for_each(|name| {
        command.env_remove(name);
    });
    command.env("RUST_BACKTRACE", "0")
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The line of a baseline for a sample.
fn entry(test: &str, line: u32, tasks: usize) -> String {
    let file = sample::FILE;
    format!("{} | sample::{test} | {file}:{line} | {tasks}", sample::FILE)
}
