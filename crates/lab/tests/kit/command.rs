//! `cargo lab kit` as it is typed, and mistyped.

use std::{fs, path::Path, process::Command};

/// Exit code, output and error output of the lab.
fn lab(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = command.arg("kit").args(args).current_dir(crate::root()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// One line of complaint, and exit code 2.
fn refused(args: &[&str], why: &str) {
    let (code, said, error) = lab(args);
    assert_eq!(code, 2, "{args:?}: {said}{error}");
    assert!(error.contains(why), "{args:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(said, "", "{args:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_cannot_be_done_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let free = folder.path().join("free");
    refused(&["unconsumed-sent"], "there is no scenario `unconsumed-sent`: did you mean `unconsumed-send`?");
    refused(&["upload-skan"], "did you mean `upload-scan`?");
    refused(
        &["warm-pool", "--out", text(&free)],
        "warm-pool is a control, and has no kit: `cargo lab pair warm-pool` shows it",
    );
    refused(&["../upload-scan", "--out", text(&free)], "there is no");
    refused(
        &["unconsumed-send", "--minutes", "30", "--out", text(&free)],
        "there is no plan for 30 minutes: `--minutes 20` or `--minutes 45`",
    );
    refused(&["unconsumed-send", "--verify", text(&free)], "is no folder");
    refused(&["unconsumed-send", "--verify", text(folder.path())], "is no kit: name the folder `candidate` of one");
    assert!(!free.exists(), "nothing is written");
}

#[test]
fn a_folder_that_exists_is_not_touched_unless_it_is_forced_and_loses_nothing_then() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, own) = (folder.path().join("kit"), folder.path().join("kit/candidate/notes.txt"));
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "mine").unwrap();
    refused(
        &["unconsumed-send", "--out", text(&dir)],
        "exists: `--out` names another folder, `--force` writes the kit into it",
    );
    assert_eq!(fs::read_dir(dir.join("candidate")).unwrap().count(), 1);
    let (code, said, error) =
        lab(&["unconsumed-send", "--out", text(&dir), "--force", "--seed", "4", "--minutes", "20"]);
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("for the candidate: ") && said.contains("interviewer.html"), "{said}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "mine");
    assert!(dir.join("candidate/src/main.rs").is_file() && dir.join("interviewer.html").is_file());
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    refused(&["unconsumed-send", "--out", text(&file), "--force"], "is no folder");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_kit_of_another_name_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("kit");
    assert_eq!(lab(&["first-error", "--out", text(&dir)]).0, 0);
    let candidate = dir.join("candidate");
    refused(&["unconsumed-send", "--verify", text(&candidate)], "is a kit of first-error, not of unconsumed-send");
    fs::remove_file(candidate.join("src/main.rs")).unwrap();
    refused(&["first-error", "--verify", text(&candidate)], "src/main.rs is missing");
}
