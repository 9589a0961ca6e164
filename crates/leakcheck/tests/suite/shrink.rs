//! A baseline only shrinks: what is no longer needed is told, and removed when asked.

use std::{fs, thread};

use crate::{
    Place, entry,
    sample::{LATE, MORE, ONE, TICKER},
    text,
};

/// A baseline with comments, more than is needed, and a test that is not there.
fn file(place: &Place) -> String {
    let lines = [
        "# ours",
        &entry("gone", 1, 1),
        &entry("leaks_late", LATE, 1),
        &entry("leaks_more", MORE, 3),
        &entry("leaks_more", TICKER, 1),
        "# below",
        &entry("leaks_one", ONE, 1),
        &entry("leaks_one", 1, 4),
        &entry("leaves_nothing", 7, 2),
    ];
    let text = lines.map(|line| format!("{line}\n")).concat();
    fs::write(place.baseline(), &text).unwrap();
    text
}

/// The same without what is not needed.
fn shrunk() -> String {
    let lines = [
        "# ours",
        &entry("gone", 1, 1),
        &entry("leaks_late", LATE, 1),
        &entry("leaks_more", MORE, 2),
        &entry("leaks_more", TICKER, 1),
        "# below",
        &entry("leaks_one", ONE, 1),
    ];
    lines.map(|line| format!("{line}\n")).concat()
}

#[test]
fn what_is_no_longer_needed_is_told_past_libtest() {
    let place = Place::new("told");
    let before = file(&place);
    let output =
        place.samples("lea").env("LEAKCHECK_BASELINE", place.baseline()).args(["--skip", "scope"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let path = place.baseline().display().to_string();
    for (line, what) in [
        (entry("leaks_more", MORE, 3), "needs only 2; change it"),
        (entry("leaks_one", 1, 4), "is no longer needed; remove it"),
        (entry("leaves_nothing", 7, 2), "is no longer needed; remove it"),
    ] {
        let line = format!("leakcheck: {path}: \"{line}\" {what}, or run with LEAKCHECK=shrink\n");
        assert!(told.contains(&line), "{line} is not in {told}");
    }
    assert_eq!(fs::read_to_string(place.baseline()).unwrap(), before, "it is told, not done");
    let table = place.table();
    assert!(table.contains("\n3 lines no longer needed in full (LEAKCHECK=shrink removes that):\n"), "{table}");
    assert!(table.contains("\n1 test in the baseline, but not judged in this run:\n"), "{table}");
}

#[test]
fn it_shrinks_in_one_process_and_in_many_at_once() {
    let place = Place::new("shrunk");
    file(&place);
    let shrink = |filter: &str| {
        let mut command = place.samples(filter);
        command.env("LEAKCHECK_BASELINE", place.baseline()).env("LEAKCHECK", "shrink");
        command
    };
    let output = shrink("lea").args(["--skip", "scope"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read_to_string(place.baseline()).unwrap(), shrunk());

    file(&place);
    thread::scope(|scope| {
        for name in ["leaks_late", "leaks_more", "leaks_one", "leaves_nothing"] {
            let mut command = shrink(name);
            scope.spawn(move || {
                let output = command.output().unwrap();
                assert!(output.status.success(), "{}", text(&output));
            });
        }
    });
    assert_eq!(fs::read_to_string(place.baseline()).unwrap(), shrunk());
}

#[test]
fn it_never_grows() {
    let place = Place::new("never");
    let before = format!("{}\n", entry("leaks_more", MORE, 1));
    fs::write(place.baseline(), &before).unwrap();
    let output =
        place.samples("lea").env("LEAKCHECK_BASELINE", place.baseline()).env("LEAKCHECK", "shrink").output().unwrap();
    assert!(text(&output).contains("1 passed; 4 failed"), "{}", text(&output));
    assert_eq!(fs::read_to_string(place.baseline()).unwrap(), before);
}

#[test]
fn a_test_that_fails_by_itself_keeps_its_lines() {
    let place = Place::new("kept");
    let before = format!("{}\n{}\n", entry("hangs", 1, 1), entry("panics", 1, 1));
    fs::write(place.baseline(), &before).unwrap();
    for filter in ["hangs", "panics"] {
        let mut command = place.samples(filter);
        let output = command.env("LEAKCHECK_BASELINE", place.baseline()).env("LEAKCHECK", "shrink").output().unwrap();
        assert!(text(&output).contains("1 failed"), "{}", text(&output));
    }
    assert_eq!(fs::read_to_string(place.baseline()).unwrap(), before);
}
