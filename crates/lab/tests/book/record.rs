//! `cargo lab record` renews every exhibit of a name, with a cargo that only says what it is told to say.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use evidence::{
    catalogue::Catalogue,
    exhibit::{Exhibits, Kind},
};

use crate::small::SmallBook;

const FOLDER: &str = "scenarios/unconsumed-send";
/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Answers as the commands of the small book's exhibits would; a bench makes two tables in one run.
const CARGO: &str = r#"#!/bin/sh
echo "$*" >>"$0.asked"
case "$*" in
*guard::*) printf 'panicked\nleak: 9 tasks left\n  9 tasks spawned at a.rs:1:2: parked; 3 s old\n\n'; seq 200 ;;
"run --example unconsumed-send-ways") printf '| way |\n|---|\n| new |\n' ;;
"bench --bench two") echo noise; echo '| a |' >"$SHOWN/a.md"; echo '| b |' >"$SHOWN/b.md" ;;
"test --test touches") echo '| c |' >"$SHOWN/c.md"; echo '// touched' >>scenarios/unconsumed-send/fix.rs ;;
"test --test silent") ;;
"test --test hangs") echo $$ >"$0.pid"; sleep 600 ;;
*) echo "error: $* is unknown" >&2; exit 101 ;;
esac
"#;

impl SmallBook {
    fn with_cargo(self) -> Self {
        let bin = self.root().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("cargo"), CARGO).unwrap();
        let status = Command::new("chmod").arg("+x").arg(bin.join("cargo")).status().unwrap();
        assert!(status.success());
        self
    }

    /// Another table, and the command that makes it.
    fn with_table(self, file: &str, command: &str) -> Self {
        let entry = "[package.metadata.shown]\n";
        self.replace(&format!("{FOLDER}/Cargo.toml"), entry, &format!("{entry}\"{file}\" = \"{command}\"\n"))
    }

    fn record(&self, args: &[&str]) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let path = std::iter::once(self.root().join("bin")).chain(std::env::split_paths(&path));
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.arg("record").args(args).current_dir(self.root());
        command.env("PATH", std::env::join_paths(path).unwrap()).env_remove("RUSTFLAGS");
        command
    }

    fn recorded(&self, args: &[&str]) -> Output {
        self.record(args).output().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root().join(FOLDER).join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn is_fresh(&self, kinds: &[Kind]) -> bool {
        let catalogue = Catalogue::read(self.root()).unwrap();
        let exhibits = Exhibits::of(catalogue.find("unconsumed-send").unwrap());
        let mut some = exhibits.all.iter().filter(|one| kinds.contains(&one.kind));
        some.all(|one| exhibits.check(self.root(), one).is_ok())
    }
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn one_command_renews_reports_and_tables_and_notes_what_made_them() {
    let two = "bench --bench two";
    let book = SmallBook::new().with_cargo().with_table("a.md", two).with_table("b.md", two);
    assert!(!book.is_fresh(&[Kind::Guards]) && !book.is_fresh(&[Kind::Tables]));
    let output = book.recorded(&["unconsumed-send", "--only", "guards,tables"]);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(book.text("guard.txt"), "leak: 9 tasks left\n  9 tasks spawned at a.rs:1:2: parked; 3 s old\n");
    assert_eq!(book.text("ways.md"), "| way |\n|---|\n| new |\n");
    assert_eq!((book.text("a.md"), book.text("b.md")), ("| a |\n".into(), "| b |\n".into()));
    assert!(book.is_fresh(&[Kind::Guards, Kind::Tables]));
    let asked = fs::read_to_string(book.root().join("bin/cargo.asked")).unwrap();
    assert_eq!(asked.matches(two).count(), 1, "one run makes both: {asked}");
    assert!(words(&output).contains("unconsumed-send: tables\n    wrote scenarios/unconsumed-send/a.md\n"));
}

#[test]
fn what_was_not_asked_for_stays_as_it_is() {
    let book = SmallBook::new().with_cargo().replace(&format!("{FOLDER}/leak.rs"), "(1)", "(2)");
    let output = book.recorded(&["unconsumed-send", "--only", "tables"]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(book.is_fresh(&[Kind::Tables]) && !book.is_fresh(&[Kind::Guards]) && !book.is_fresh(&[Kind::Screens]));
    assert!(book.text("guard.txt").starts_with("leak: 6 tasks left"));
}

#[test]
fn what_cannot_be_made_is_named_and_the_old_files_stay() {
    for (command, reason) in [
        ("test --test unknown", "error: test --test unknown is unknown"),
        ("test --test silent", "`cargo test --test silent` wrote no c.md into $SHOWN"),
        ("test --test touches", "sources changed in the meantime"),
    ] {
        let book = SmallBook::new().with_cargo().with_table("c.md", command);
        let before = [book.text("ways.md"), book.text("shown.json")];
        let output = book.recorded(&["unconsumed-send", "--only", "tables"]);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("error: unconsumed-send: no tables: ") && said.contains(reason), "{said}");
        assert_eq!([book.text("ways.md"), book.text("shown.json")], before, "{command}");
        assert!(!book.file("c.md").exists());
    }
    let output = SmallBook::new().with_cargo().recorded(&["unconsumed-sent"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(words(&output).contains("did you mean `unconsumed-send`?"));
}

/// Ends with the test, however it goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something that will be so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ctrl_c_leaves_nothing_half_written_and_nothing_running() {
    let book = SmallBook::new().with_cargo().with_table("c.md", "test --test hangs");
    let before = [book.text("ways.md"), book.text("shown.json")];
    let mut record = book.record(&["unconsumed-send", "--only", "tables"]);
    let mut lab = Running(record.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let pid = || fs::read_to_string(book.root().join("bin/cargo.pid")).ok()?.trim().parse::<i32>().ok();
    until("the command starts", || pid().is_some());
    let command = rustix::process::Pid::from_raw(pid().unwrap()).unwrap();
    let signalled = rustix::process::Pid::from_child(&lab.0);
    rustix::process::kill_process(signalled, rustix::process::Signal::INT).unwrap();
    assert_eq!(lab.0.wait().unwrap().code(), Some(130));
    until("the command ends", || !is_alive(command));
    assert_eq!([book.text("ways.md"), book.text("shown.json")], before);
    let mut paths = fs::read_dir(book.root().join(FOLDER)).unwrap().map(|entry| entry.unwrap().path());
    assert!(paths.all(|path| path.extension().is_none_or(|extension| extension != "part")));
}

/// A zombie that nobody reaps is dead too.
fn is_alive(pid: rustix::process::Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    match stat {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => rustix::process::test_kill_process(pid).is_ok(),
    }
}
