use std::path::Path;

use super::*;
use crate::catalogue::Catalogue;

const MANIFEST: &str = "[package]\nname = 'post'\ndescription = 'a post office'\n\
    [[bin]]\nname = 'post-start'\npath = 'start.rs'\n[[bin]]\nname = 'post-mine'\npath = 'mine.rs'\n\
    [[bin]]\nname = 'post-solution'\npath = 'solution.rs'\n[[bin]]\nname = 'post-solution-other'\npath = 'solution.rs'\n\
    [[bin]]\nname = 'post-trap-sleep'\npath = 'solution.rs'\n\
    [package.metadata.lab]\nunit = 'letter'\nunits = 10\nrate = 5\ngauge = 'tasks'\n\
    gauges = { queue_max = { kind = 'maximum' } }\n\
    survivors = { solution = { tasks = 0, sockets = { at_most = 2 }, unfinished = 0 } }\n\
    [package.metadata.exercise]\nlevel = 1\nminutes = 15\nchapters = ['unclosed']\nhints = ['a', 'b', 'c']\nlatency = 2.0\nclose_ms = 1000\n\
    limits = { heap_kib = 512, queue_max = 8 }\nfails = { start = 'tasks', trap-sleep = 'latency' }\n";

/// A workbook of one exercise, with the manifest as it is given.
fn workbook(manifest: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("book/src/SUMMARY.md", "# Summary\n- [Post](post.md)\n");
    write("scenarios/README", "");
    write("exercises/post/Cargo.toml", manifest);
    for side in ["start", "mine", "solution"] {
        write(&format!("exercises/post/{side}.rs"), "fn main() {}\n");
    }
    root
}

fn read(root: &Path) -> anyhow::Result<Exercise> {
    Catalogue::read(root).unwrap().find_exercise("post").cloned()
}

/// The exercise of these tests, with one text of its manifest changed.
pub(crate) fn post(from: &str, to: &str) -> anyhow::Result<Exercise> {
    assert!(MANIFEST.contains(from), "{from}");
    read(workbook(&MANIFEST.replace(from, to)).path())
}

#[test]
fn sides_are_told_apart_by_their_names() {
    let exercise = post("", "").unwrap();
    let names = |sides: &mut dyn Iterator<Item = &str>| sides.map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(&mut exercise.solutions()), ["solution", "solution-other"]);
    assert_eq!(names(&mut exercise.traps()), ["trap-sleep"]);
    assert_eq!(names(&mut exercise.proven()), ["start", "solution", "trap-sleep", "solution-other"]);
    assert_eq!((exercise.scenario.title(), exercise.gauge(), exercise.is_healthy()), ("Post", "tasks", false));
}

#[test]
fn what_an_exercise_cannot_say_is_refused_in_one_line_with_the_file_and_the_key() {
    for (from, to, why) in [
        ("level = 1", "level = 4", "exercise.level: 1, 2 or 3"),
        ("level = 1\n", "", "missing field `level`"),
        ("minutes = 15", "minutes = 4", "exercise.minutes: from 5 to 90"),
        ("'a', 'b', 'c'", "'a', 'b'", "exercise.hints: 3 steps"),
        ("latency = 2.0", "latency = 0.5", "exercise.latency: a multiple of 1 or more"),
        ("latency = 2.0", "latency = nan", "exercise.latency: a multiple of 1 or more"),
        (
            "survivors = { solution",
            "survivors = { start = { tasks = 1 }, solution",
            "states `solution` and nothing else",
        ),
        ("survivors = { solution", "survivors = { start", "states `solution` and nothing else"),
        ("[[bin]]\nname = 'post-mine'", "[[bin]]\nname = 'post-mein'", "there is no binary post-mine"),
        ("trap-sleep = 'latency'", "trap-nap = 'latency'", "exercise.fails.trap-nap: there is no such side"),
        ("trap-sleep = 'latency'", "trap-sleep = 'late'", "exercise.fails.trap-sleep: `late` is no gauge of the goal"),
        (", trap-sleep = 'latency'", "", "exercise.fails says nothing of `trap-sleep`"),
        ("start = 'tasks', ", "", "exercise.fails says nothing of `start`"),
        ("queue_max = 8", "queue_mx = 8", "exercise.limits.queue_mx: there is no such gauge"),
        ("close_ms = 1000", "close_ms = 1000\ncolour = 'red'", "unknown field `colour`"),
    ] {
        let error = format!("{:#}", post(from, to).unwrap_err());
        assert!(error.contains("exercises/post/Cargo.toml") && error.contains(why), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_healthy_start_fails_for_nothing() {
    let healthy = "diagnosis = { healthy = true }\nfails = {";
    let exercise = post("fails = { start = 'tasks',", healthy).unwrap();
    assert!(exercise.is_healthy());
}

#[test]
fn the_line_that_adds_what_stays_is_found_where_it_stands_once() {
    let line = |text: &str| {
        let exercise =
            post("fails = ", &format!("diagnosis = {{ gauge = 'waiting', line = '{text}' }}\nfails = ")).unwrap();
        assert_eq!(exercise.gauge(), "waiting");
        exercise.stated_line(
            "fn main() {}
let tx = keep();
",
        )
    };
    assert_eq!(line("keep()").unwrap(), Some(2));
    assert!(line("lose()").unwrap_err().to_string().contains("stands on 0 lines of start.rs"));
    assert!(line("(").unwrap_err().to_string().contains("stands on 2 lines of start.rs"));
    assert_eq!(post("", "").unwrap().stated_line("").unwrap(), None);
}

#[test]
fn a_copy_that_is_missing_is_said_with_the_command_that_makes_it() {
    let root = workbook(MANIFEST);
    fs::remove_file(root.path().join("exercises/post/mine.rs")).unwrap();
    // The exercise is there, and its page.
    let error = format!("{:#}", read(root.path()).unwrap().check_mine().unwrap_err());
    assert!(error.starts_with("cannot read exercises/post/mine.rs"), "{error}");
    assert!(error.contains("cp exercises/post/start.rs exercises/post/mine.rs"), "{error}");
}

#[test]
fn an_unknown_name_gets_the_nearest_one() {
    let error = Catalogue::read(workbook(MANIFEST).path()).unwrap().find_exercise("pots").unwrap_err();
    assert_eq!(error.to_string(), "there is no exercise `pots`: did you mean `post`?");
}
