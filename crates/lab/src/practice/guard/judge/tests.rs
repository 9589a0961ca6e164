use super::*;

const NAMES: &str = "leak: 6 tasks left\n  6 tasks spawned at exercises/x/start.rs:76:13: parked; under 1 s old";

fn passes() -> Ran {
    ended_with("test guard::a ... ok\n", "")
}

/// A run in which the one test panicked with this.
fn fails(message: &str) -> Ran {
    let said = format!(
        "failures:\n\n---- guard::a stdout ----\n\nthread 'guard::a' (7) panicked at exercises/x/guard.rs:9:1:\n{message}\n\
         note: run with `RUST_BACKTRACE=1`\n\n\nfailures:\n    guard::a\n"
    );
    ended_with("test guard::a ... FAILED\n", &said)
}

fn ended_with(lines: &str, said: &str) -> Ran {
    let said = format!("\nrunning 1 test\n{lines}\n{said}\ntest result: over. 0 passed;\n");
    Ran::Ended { said, ending: "ended with exit code 101".into() }
}

fn check(start: &Ran, mine: &Ran, worth: Worth, part: &str) {
    check_as(
        &Tried { lines: &Lines::These(vec![76]), by_assertion: false, unchanged: false },
        start,
        mine,
        worth,
        part,
    );
}

fn check_as(tried: &Tried<'_>, start: &Ran, mine: &Ran, worth: Worth, part: &str) {
    let judged = judge(tried, start, mine);
    assert_eq!(judged.worth, worth, "{}", judged.sentence);
    assert!(judged.sentence.contains(part) && judged.sentence.lines().count() == 1, "{}", judged.sentence);
}

#[test]
fn a_report_that_names_the_line_on_the_leak_alone_is_a_guard() {
    check(&fails(NAMES), &passes(), Worth::Guards, "names exercises/x/start.rs:76:13, and passes on your copy");
}

#[test]
fn what_is_no_guard_is_told_apart() {
    check(&passes(), &passes(), Worth::AssertsNothing, "passes on both");
    check(&passes(), &fails("oops"), Worth::TurnedAround, "(oops): it must be the other way round");
    check(&fails("oops"), &fails("oops"), Worth::FailsOnBoth, "for one and the same reason: oops");
    check(&fails("oops"), &passes(), Worth::NoReport, "no report of leakcheck (oops)");
    check(
        &fails(&NAMES.replace(":76:", ":80:")),
        &passes(),
        Worth::OtherLine,
        "names exercises/x/start.rs:80:13, and not",
    );
    check(&fails(&NAMES.replace("start", "guard")), &passes(), Worth::OtherLine, "names exercises/x/guard.rs:76:13");
    check(&Ran::Hung { seconds: 20 }, &passes(), Worth::Hangs, "on start.rs it had not ended after 20 s");
    check(&fails(NAMES), &Ran::Hung { seconds: 20 }, Worth::Hangs, "on your copy");
    let died =
        Ran::Ended { said: "running 1 test\ntest guard::a ... ".into(), ending: "ended with exit code 1".into() };
    check(&died, &passes(), Worth::Dies, "on start.rs it ended with exit code 1");
    let none = ended_with("", "");
    check(&none, &none, Worth::NoTest, "no test in guard.rs");
    let ignored = ended_with("test guard::a ... ignored\n", "");
    check(&ignored, &ignored, Worth::Ignored, "remove `#[ignore]`");
}

#[test]
fn a_report_that_is_only_printed_is_told_as_that() {
    let said = "successes:\n\n---- guard::a stdout ----\nleak: 6 tasks left\n\n\nsuccesses:\n    guard::a\n";
    check(
        &ended_with("test guard::a ... ok\n", said),
        &passes(),
        Worth::AssertsNothing,
        "prints the report and asserts nothing",
    );
}

#[test]
fn a_copy_that_still_leaks_is_not_the_guards_fault() {
    let mine = NAMES.replace("start", "mine");
    check(
        &fails(NAMES),
        &fails(&mine),
        Worth::StillLeaks,
        "your copy still keeps tasks, spawned at exercises/x/mine.rs:76:13",
    );
    let given = Tried { lines: &Lines::These(vec![76]), by_assertion: false, unchanged: true };
    check_as(&given, &fails(NAMES), &fails(&mine), Worth::StillLeaks, "still the service as it is given");
    let world = NAMES.replace("start", "world");
    check(&fails(&world), &fails(&world), Worth::FailsOnBoth, "begin a `leakcheck::scope()`");
}

#[test]
fn where_no_task_stays_the_guards_own_assertion_counts_and_an_unwrap_does_not() {
    let tried = Tried { lines: &Lines::These(Vec::new()), by_assertion: true, unchanged: false };
    check_as(
        &tried,
        &fails("12 callers still wait"),
        &passes(),
        Worth::Guards,
        "its own assertion (12 callers still wait)",
    );
    let unwrapped = fails("called `Result::unwrap()` on an `Err` value: gone");
    check_as(&tried, &unwrapped, &passes(), Worth::NoReport, "no report of leakcheck");
}

#[test]
fn where_nothing_stays_a_guard_passes_on_both_and_fails_on_a_worse_copy() {
    let check = |start: &Ran, mine: &Ran, worse: Option<&Ran>, worth: Worth| {
        assert_eq!(judge_healthy(start, mine, worse.map(|ran| ("a worse copy", ran))).worth, worth);
    };
    check(&passes(), &passes(), Some(&fails("too many")), Worth::Guards);
    check(&passes(), &passes(), None, Worth::Guards);
    check(&passes(), &passes(), Some(&passes()), Worth::AssertsNothing);
    check(&fails(NAMES), &fails(NAMES), Some(&fails("x")), Worth::FailsOnBoth);
    check(&passes(), &fails("too many"), None, Worth::StillLeaks);
    check(&ended_with("", ""), &passes(), None, Worth::NoTest);
}

#[test]
fn what_pretends_and_what_has_no_test_is_seen_at_sight() {
    let check = |source: &str, worth: Option<Worth>| {
        assert_eq!(at_sight(source).map(|judged| judged.worth), worth, "{source}");
    };
    check("//! one `#[leakcheck::test]` that fails", Some(Worth::NoTest));
    check("fn helper() {}", Some(Worth::NoTest));
    check(
        "#[leakcheck::test]\nasync fn a() { assert!(!env!(\"CARGO_BIN_NAME\").ends_with(\"start\")) }",
        Some(Worth::Pretends),
    );
    check("#[test]\nfn a() { panic!(\"leak: 1 task left\") }", Some(Worth::Pretends));
    check("#[leakcheck::test]\n#[should_panic(expected = \"leak: \")]\nasync fn a() {}", Some(Worth::ShouldPanic));
    check("// \"leak: \" is how it begins\n#[leakcheck::test(start_paused = true)]\nasync fn a() {}", None);
}
