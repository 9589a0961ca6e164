//! `scripts/new-scenario` writes a pair that is judged right before anything is changed. Tried in a copy of the workspace.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What a workspace needs to build a scenario, and the script to write one.
const PARTS: [&str; 14] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "crates",
    "controls",
    "scenarios",
    "exercises",
    "scripts",
    "book.toml",
    "book/src",
    "book/recordings",
    "book/questions",
    "README.md",
    "rustfmt.toml",
];

#[test]
fn a_bad_name_is_refused_and_nothing_is_written() {
    let copy = Copy::new("bad-name");
    let summary = copy.read("book/src/SUMMARY.md");
    for (name, reason) in [
        ("Unread-mail", "not kebab-case"),
        ("unread_mail", "not kebab-case"),
        ("unread-", "not kebab-case"),
        ("unread-2", "not kebab-case"),
        ("../unread", "not kebab-case"),
        ("", "not kebab-case"),
        ("unread-mail-in-very-many-boxes-x", "30 are the most"),
        ("unconsumed-send", "exists already"),
        ("stage", "exists already"),
        ("readme", "README.md on a disk"),
        ("summary", "SUMMARY.md on a disk"),
        ("card", "exists already"),
        ("tokio", "is a crate that the workbook has"),
        ("index", "mdBook makes itself"),
        ("print", "mdBook makes itself"),
        ("test", "of Rust's own"),
        ("nul", "Windows"),
        ("--verbose", "usage"),
    ] {
        let refused = copy.new_scenario(name);
        assert_eq!(refused.status.code(), Some(2), "{name}: {refused:?}");
        let words = String::from_utf8_lossy(&refused.stderr);
        assert!(words.contains(reason) && words.lines().count() == 1, "{name}: {words}");
    }
    assert_eq!(copy.read("book/src/SUMMARY.md"), summary);
}

#[test]
fn help_is_no_fault() {
    let asked = Copy::new("help").new_scenario("--help");
    assert_eq!(asked.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&asked.stdout).starts_with("usage: scripts/new-scenario NAME"), "{asked:?}");
}

#[test]
fn the_skeleton_is_tidy_as_it_is_but_for_its_placeholders() {
    let copy = Copy::new("tidy");
    copy.git(&["init", "--quiet"]);
    assert!(copy.new_scenario("unread-mail").status.success());
    copy.git(&["add", "--all"]);
    // It is not recorded here; that is another test's, and takes a run.
    let recorded = ["--skip", "every_recording_is", "--skip", "with_a_chapter_a_recording_and_a_picture"];
    let whole = [&["scenarios::", "chapters::", "questions::", "--skip", "no_placeholder"][..], &recorded].concat();
    let tidy = copy.tidy(&whole);
    let words = String::from_utf8_lossy(&tidy.stdout);
    assert!(tidy.status.success() && words.contains("the_template_and_shows_its_own_scenario ... ok"), "{words}");
    // Kept as it is, it would stand in the book.
    let kept = copy.tidy(&["no_placeholder_is_kept"]);
    let words = String::from_utf8_lossy(&kept.stdout).into_owned() + &String::from_utf8_lossy(&kept.stderr);
    for file in ["book/src/unread-mail.md", "book/questions/unread-mail.toml"] {
        assert!(words.contains(&format!("{file} still says \"replace me\"")), "{words}");
    }
}

#[test]
fn the_skeleton_is_judged_right_as_it_is() {
    let copy = Copy::new("skeleton");
    let written = copy.new_scenario("unread-mail");
    assert!(written.status.success(), "{written:?}");
    assert!(copy.read("book/src/SUMMARY.md").ends_with("\n- [Unread mail](unread-mail.md)\n"));
    assert!(copy.read("book/src/unread-mail.md").starts_with("# Unread mail\n"));
    let (page, questions) = ("book/src/unread-mail.md", "book/questions/unread-mail.toml");
    for file in ["scenarios/unread-mail/leak.rs", "scenarios/unread-mail/Cargo.toml", page, questions] {
        assert!(!copy.read(file).to_lowercase().contains("unnamed"), "{file}");
    }
    copy.cargo(&["fmt", "--check", "-p", "unread-mail"]);
    // The guards: the leak's is expected to panic, with the report that the page shows.
    let guards = ["--bin", "unread-mail-leak", "--bin", "unread-mail-fix", "--", "--nocapture"];
    let words = copy.cargo(&[&["test", "--offline"], &guards[..]].concat());
    let report = copy.read("scenarios/unread-mail/guard.txt");
    assert!(report.starts_with("leak: 20 tasks left\n") && words.contains(&report), "{report} is not in {words}");
    for (side, left) in [("leak", "1.00 left per request"), ("fix", "0.00 left per request")] {
        let words = copy.cargo(&["run", "--offline", "--bin", &format!("unread-mail-{side}"), "--", "--no-console"]);
        assert!(words.contains(left), "{side}: {words}");
    }
}

/// A copy of the workspace, gone when dropped.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        // Outside of this workspace: cargo would read both `.cargo/config.toml`s, pass every flag twice and build all anew.
        let copy = Self(std::env::temp_dir().join(format!("new-scenario-{name}-{}", std::process::id())));
        let root = root();
        std::fs::create_dir_all(copy.0.join("book")).unwrap();
        for part in PARTS {
            let status = Command::new("cp").arg("-R").arg(root.join(part)).arg(copy.0.join(part)).status().unwrap();
            assert!(status.success(), "cannot copy {part}");
        }
        copy
    }

    fn new_scenario(&self, name: &str) -> Output {
        Command::new(self.0.join("scripts/new-scenario")).arg(name).output().unwrap()
    }

    fn git(&self, args: &[&str]) {
        let status = Command::new("git").args(args).current_dir(&self.0).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }

    /// The tidy test, as it is built here, in the copy.
    fn tidy(&self, args: &[&str]) -> Output {
        let build = ["test", "--offline", "--test", "tidy", "--no-run", "--message-format=json"];
        let out = Command::new("cargo").args(build).current_dir(root()).output().unwrap();
        let messages = String::from_utf8_lossy(&out.stdout).into_owned();
        let mut executables = messages.lines().filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            (message["target"]["name"] == "tidy").then(|| message["executable"].as_str().map(str::to_owned))?
        });
        let tidy = executables.next_back().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&out.stderr)));
        Command::new(tidy).args(args).current_dir(&self.0).output().unwrap()
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap()
    }

    /// Runs cargo in the copy, with a target directory of its own: in this build's, cargo would take the copy's crates for the workspace's, and whoever builds
    /// next would build all of the workbook again. Returns what was printed.
    fn cargo(&self, args: &[&str]) -> String {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-scenario");
        let out =
            Command::new("cargo").args(args).current_dir(&self.0).env("CARGO_TARGET_DIR", target).output().unwrap();
        let words = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(out.status.success(), "cargo {args:?}: {words}");
        words
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
