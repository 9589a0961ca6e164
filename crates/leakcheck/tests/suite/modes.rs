//! `LEAKCHECK=report`, the table, and the baseline.

use std::{env, fs, thread};

use crate::{
    Place, entry,
    sample::{FILE, IN_SCOPE, LATE, MORE, ONE, TICKER},
    text,
};

/// What the table has of the samples that leave something, in the order in which it has them.
fn rows() -> String {
    format!(
        "\
tests  tasks  states    spawned at
    1      2  2 parked  {FILE}:{MORE}
    1      1  1 parked  {FILE}:{ONE}
    1      1  1 live    {FILE}:{TICKER}
    1      1  1 parked  {FILE}:{IN_SCOPE}
    1      1  1 parked  {FILE}:{LATE}
"
    )
}

#[test]
fn in_report_mode_no_leak_fails_and_the_table_sums_them_up() {
    let place = Place::new("report");
    let output = place.samples("lea").env("LEAKCHECK", "report").output().unwrap();
    assert!(output.status.success() && text(&output).contains("5 passed"), "{}", text(&output));
    assert_eq!(place.table(), format!("4 of 5 tests left something behind: 6 tasks from 5 spawn lines\n\n{}", rows()));
}

#[test]
fn a_process_for_each_test_gives_the_same_table() {
    let place = Place::new("processes");
    let names = ["leaks_one", "leaks_more", "leaks_in_its_scope", "leaks_late", "leaves_nothing"];
    for run in ["first", "second"] {
        thread::scope(|scope| {
            for name in names {
                let mut command = place.samples(name);
                command.args(["--exact", "--nocapture"]).envs([("LEAKCHECK", "report"), ("NEXTEST_RUN_ID", run)]);
                scope.spawn(move || {
                    let output = command.output().unwrap();
                    assert!(output.status.success() && text(&output).contains("1 passed"), "{}", text(&output));
                });
            }
        });
        assert_eq!(
            place.table(),
            format!("4 of 5 tests left something behind: 6 tasks from 5 spawn lines\n\n{}", rows())
        );
    }
}

#[test]
fn a_run_begins_its_file_anew_and_a_test_that_runs_again_counts_once() {
    let place = Place::new("anew");
    let run = |filter: &str, run: &str| {
        let mut command = place.samples(filter);
        assert!(command.envs([("LEAKCHECK", "report"), ("NEXTEST_RUN_ID", run)]).status().unwrap().success());
    };
    run("leaks_one", "a");
    run("leaks_one", "a");
    assert!(
        place.table().starts_with("1 of 1 test left something behind: 1 task from 1 spawn line\n"),
        "{}",
        place.table()
    );
    run("leaves", "b");
    assert_eq!(place.table(), "1 test checked, and none left a task behind\n");
}

#[test]
fn a_test_that_fails_by_itself_or_hangs_fails_and_is_told_apart() {
    let place = Place::new("failures");
    for filter in ["panics", "hangs"] {
        let mut command = place.samples(filter);
        let output = command.envs([("LEAKCHECK", "report"), ("NEXTEST_RUN_ID", "a")]).output().unwrap();
        assert!(text(&output).contains("1 failed"), "{}", text(&output));
    }
    let table = "\
2 tests checked, and none left a task behind

1 test failed by itself, and what it left is not counted:
  {FILE} | sample::panics

1 test did not return by its deadline:
  {FILE} | sample::hangs
";
    assert_eq!(place.table(), table.replace("{FILE}", FILE));
}

#[test]
fn the_command_runs_a_suite_and_prints_its_table() {
    let place = Place::new("command");
    // Its `cargo` is this program here, and takes the arguments of a test program.
    let mut command = place.cargo_leakcheck(&["--ignored", "sample::lea"]);
    let output = command.env("CARGO", env::current_exe().unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(&format!("\n\n{}", rows())), "{}", text(&output));
    // A suite that fails for another reason fails.
    let mut command = place.cargo_leakcheck(&["--ignored", "sample::panics"]);
    let output = command.env("CARGO", env::current_exe().unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(101), "{}", text(&output));
}

#[test]
fn a_baseline_that_the_command_wrote_lets_the_suite_pass() {
    let place = Place::new("written");
    assert!(place.samples("lea").env("LEAKCHECK", "report").status().unwrap().success());
    let output = place.cargo_leakcheck(&["baseline", &place.baseline().to_string_lossy()]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{}", text(&output));
    let written = fs::read_to_string(place.baseline()).unwrap();
    // Without a file it is printed.
    let printed = place.cargo_leakcheck(&["baseline"]).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), written);
    let entries = [
        entry("leaks_in_its_scope", IN_SCOPE, 1),
        entry("leaks_late", LATE, 1),
        entry("leaks_more", MORE, 2),
        entry("leaks_more", TICKER, 1),
        entry("leaks_one", ONE, 1),
    ];
    assert_eq!(written.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(), entries);
    let output = place.samples("lea").env("LEAKCHECK_BASELINE", place.baseline()).output().unwrap();
    assert!(output.status.success() && text(&output).contains("5 passed"), "{}", text(&output));
    assert!(!text(&output).contains("leakcheck: "), "nothing to tell: {}", text(&output));
    assert!(
        place.table().ends_with(&format!("\nbaseline {}: 5 lines\n", place.baseline().display())),
        "{}",
        place.table()
    );
}

#[test]
fn what_is_beyond_the_baseline_fails_and_is_named_as_a_line_of_it() {
    let place = Place::new("beyond");
    let listed = [entry("leaks_more", MORE, 1), entry("leaks_more", TICKER, 1), entry("leaks_one", ONE, 1)];
    fs::write(place.baseline(), listed.join("\n")).unwrap();
    let run = |mode: &str| {
        let mut command = place.samples("leaks");
        command.env("LEAKCHECK_BASELINE", place.baseline()).env("LEAKCHECK", mode).output().unwrap()
    };
    let failing = text(&run(""));
    assert!(failing.contains("1 passed; 3 failed"), "{failing}");
    let more = format!(
        "  not in the baseline {}:\n    {} (it lists 1)\n",
        place.baseline().display(),
        entry("leaks_more", MORE, 2)
    );
    assert!(failing.contains(&more), "{failing}");
    for new in [entry("leaks_late", LATE, 1), entry("leaks_in_its_scope", IN_SCOPE, 1)] {
        assert!(failing.contains(&format!("{}:\n    {new}\n", place.baseline().display())), "{failing}");
    }
    // In report mode the same is told by the table.
    let reported = run("report");
    assert!(reported.status.success(), "{}", text(&reported));
    assert!(place.table().contains("\n3 lines not in the baseline:\n"), "{}", place.table());
    assert_eq!(fs::read_to_string(place.baseline()).unwrap(), listed.join("\n"), "nothing has written it");
}

/// Nobody lets the file grow without being told.
#[test]
fn a_baseline_that_is_written_anew_tells_what_is_new_in_it() {
    let place = Place::new("anew");
    let file = place.baseline();
    fs::write(&file, entry("leaks_more", MORE, 1) + "\n").unwrap();
    assert!(place.samples("leaks_one").env("LEAKCHECK", "report").status().unwrap().success());
    let output = place.cargo_leakcheck(&["baseline", &file.to_string_lossy()]).output().unwrap();
    assert_eq!(text(&output), format!("new in {}: {}\n", file.display(), entry("leaks_one", ONE, 1)));
    // One that cannot be read is not written over.
    fs::write(&file, "a | b | 1\n").unwrap();
    let output = place.cargo_leakcheck(&["baseline", &file.to_string_lossy()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), "a | b | 1\n");
}

/// A suite that makes its first baseline may have the variable set already.
#[test]
fn report_mode_needs_no_baseline() {
    let place = Place::new("first");
    let mut command = place.samples("lea");
    let output = command.env("LEAKCHECK", "report").env("LEAKCHECK_BASELINE", place.baseline()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(place.table().starts_with("4 of 5 tests left something behind"), "{}", place.table());
}

/// Such as one whose command is mistyped.
#[test]
fn a_run_that_checks_nothing_does_not_cost_the_run_before() {
    let place = Place::new("nothing");
    assert!(place.samples("leaks_one").env("LEAKCHECK", "report").status().unwrap().success());
    let before = place.table();
    let mut command = place.cargo_leakcheck(&["--ignored", "sample::no_such_test"]);
    let output = command.env("CARGO", env::current_exe().unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("no test of this run was checked"), "{}", text(&output));
    assert_eq!(place.table(), before);
}

#[test]
fn what_cannot_be_read_fails_each_test_with_what_to_write() {
    let place = Place::new("bad");
    let missing = place.baseline();
    let good = entry("leaks_one", ONE, 1);
    let files: Vec<_> =
        [("three parts", "a | b | 1"), ("no number", "a | b | c | x"), ("twice", &format!("{good}\n{good}"))]
            .into_iter()
            .map(|(name, text)| {
                let path = place.0.join(name);
                fs::write(&path, text).unwrap();
                path
            })
            .collect();
    let mut cases = vec![
        ("LEAKCHECK", "reprot".into(), "LEAKCHECK=reprot is no mode: write LEAKCHECK=report".to_owned()),
        ("LEAKCHECK", "shrink".into(), "set LEAKCHECK_BASELINE=leakcheck-baseline.txt too".to_owned()),
        ("LEAKCHECK_BASELINE", missing.clone(), format!("cargo leakcheck baseline {}", missing.display())),
    ];
    for (path, why) in
        files.iter().zip([":1: a line has four parts", ":1: the last part", ":2: this test and spawn line"])
    {
        cases.push(("LEAKCHECK_BASELINE", path.clone(), format!("{}{why}", path.display())));
    }
    for (variable, value, part) in cases {
        let output = place.samples("leaves_nothing").env(variable, value).output().unwrap();
        let text = text(&output);
        assert!(text.contains("1 failed"), "{text}");
        let line = text.lines().find(|line| line.contains(&part));
        assert!(
            line.is_some_and(|line| line.contains("write ") || line.contains("set ") || line.contains("make ")),
            "{text}"
        );
        // Its place is the test's own.
        assert!(text.contains(&format!("panicked at {FILE}:")), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_fails_no_test() {
    let place = Place::new("unwritable");
    let folder = place.0.join("folder");
    fs::create_dir(&folder).unwrap();
    let output =
        place.samples("leaks_one").envs([("LEAKCHECK", "report")]).env("LEAKCHECK_REPORT", &folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.starts_with("leakcheck: cannot write what this run found to ") && told.contains("set LEAKCHECK_REPORT"),
        "{told}"
    );
}

#[test]
fn the_command_says_when_there_is_no_run() {
    let place = Place::new("no run");
    let output = place.cargo_leakcheck(&["table"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("run the tests first, with `cargo leakcheck test`"), "{}", text(&output));
}
