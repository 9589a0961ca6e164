use stage::wire::SpawnSite;

use super::*;
use crate::{
    exercise::tests::post,
    series::{ConsoleView, Series},
};

/// What a run of a right side says: 10 and 40 letters.
fn right() -> Run {
    let report = r#"{"elapsed_ms":4000,"units_done":40,"units_failed":0,"interrupted":false,"settled":true,
        "before":{"tasks":4,"sockets":1,"heap_kib":100,"queue_max":0,"unfinished":0,"repeated":0},
        "plateau":{"units_done":10,"gauges":{"tasks":4,"sockets":3,"heap_kib":120,"queue_max":5,"unfinished":0,"repeated":0}},
        "after":{"tasks":4,"sockets":3,"heap_kib":130,"queue_max":8,"unfinished":0,"repeated":0},
        "survivors":{},"stated":{},"spawned_at":[{"location":"a/world.rs:1:1","alive":4}],"problems":[]}"#;
    let closing =
        Closing { ended: true, error: None, took_ms: 12, unfinished: 0, repeated: 0, median_us: Some(50_000) };
    Run {
        series: Series::default(),
        report: serde_json::from_str(report).unwrap(),
        console: ConsoleView::default(),
        closing: Some(closing),
        said: Vec::new(),
    }
}

/// The faults of a run that was spoiled, and their sentences.
fn faults(spoil: impl FnOnce(&mut Run)) -> Vec<Fault> {
    let mut run = right();
    spoil(&mut run);
    judge(&post("", "").unwrap(), &run, &right())
}

/// The one fault of a run that was spoiled.
fn check(key: &str, sentence: &str, spoil: impl FnOnce(&mut Run)) {
    assert_eq!(faults(spoil), [Fault::new(key, sentence)]);
}

fn closing(run: &mut Run) -> &mut Closing {
    run.closing.as_mut().unwrap()
}

#[test]
fn a_side_that_does_what_the_solution_does_has_no_fault() {
    assert_eq!(faults(|_| {}), []);
}

#[test]
fn a_gauge_that_is_not_back_after_the_first_or_the_last_unit_is_a_fault() {
    let spawned = "live tasks: 0 more than before after 10 letters, 80 more after 40; should be: none. Spawned: 80 at a/mine.rs:7:9";
    check("tasks", spawned, |run| {
        run.report.after.insert("tasks".into(), 84);
        run.report.spawned_at.insert(0, SpawnSite { location: "a/mine.rs:7:9".into(), alive: 80 });
    });
    // What ends late is not back in the middle of the load.
    check("tasks", "live tasks: 3 more than before after 10 letters, 0 more after 40; should be: none", |run| {
        run.report.plateau.as_mut().unwrap().gauges.insert("tasks".into(), 7);
    });
    let bounded =
        "open sockets: 2 more than before after 10 letters, 3 more after 40; should be: at most 2, whatever the load";
    check("sockets", bounded, |run| {
        run.report.after.insert("sockets".into(), 4);
    });
}

#[test]
fn what_exceeds_its_limit_is_a_fault_and_a_maximum_is_not_held_against_its_start() {
    check("heap_kib", "allocated memory, KiB: 513 is the most that was seen; the limit is 512", |run| {
        run.report.after.insert("heap_kib".into(), 613);
    });
    check("queue_max", "queue max: 9 is the most that was seen; the limit is 8", |run| {
        run.report.before.insert("queue_max".into(), 9);
        run.report.after.insert("queue_max".into(), 9);
    });
}

#[test]
fn a_load_that_did_not_end_is_a_fault() {
    check("load", "3 letters got no answer at all, 37 did: none had ended for 10 s", |run| {
        (run.report.units_done, run.report.units_cut_off) = (37, 3);
        run.report.stopped = Some("none had ended for 10 s".into());
    });
}

#[test]
fn a_panic_is_a_fault_unless_panics_are_stated() {
    let spoil = |run: &mut Run| {
        run.report.panics = 2;
        run.report.after.insert("panics".into(), 2);
        run.report.before.insert("panics".into(), 0);
        run.said = vec!["letter 3".into(), "thread 'a' panicked at mine.rs:1:2: no desk".into()];
    };
    check(
        "panics",
        "2 panics, where there should be none (the program said: thread 'a' panicked at mine.rs:1:2: no desk)",
        spoil,
    );
    let (mut run, stated) = (right(), post("unfinished = 0", "unfinished = 0, panics = { at_most = 2 }").unwrap());
    spoil(&mut run);
    assert_eq!(judge(&stated, &run, &right()), []);
}

#[test]
fn answers_that_are_wrong_or_late_are_a_fault_with_the_first_of_them() {
    check(
        "answers",
        "3 of 40 letters got no answer or a wrong one (the program said: first failed unit: no stamp)",
        |run| {
            (run.report.units_failed, run.report.units_late) = (2, 1);
            run.said = vec!["letter 3".into(), "first failed unit: no stamp".into()];
        },
    );
}

#[test]
fn work_that_was_done_twice_or_was_lost_is_a_fault_at_rest_and_at_the_end() {
    check("repeated", "2 letters were done more than once", |run| closing(run).repeated = 2);
    check("unfinished", "4 letters were accepted, and neither done nor refused", |run| {
        run.report.after.insert("unfinished".into(), 4);
        closing(run).unfinished = 9;
    });
    let lost = "at its end the service had accepted 5 letters that it neither did nor refused";
    check("unfinished", lost, |run| closing(run).unfinished = 5);
}

#[test]
fn a_unit_may_take_a_multiple_of_what_it_takes_in_the_solution_and_no_more() {
    let slow = "every second letter took 101 ms or more, and 50 ms in a solution beside it; at most 2 times as long is allowed";
    check("latency", slow, |run| closing(run).median_us = Some(100_001));
    assert_eq!(faults(|run| closing(run).median_us = Some(100_000)), []);
    // Twice a few milliseconds is the machine's doing.
    let (mut mine, mut its) = (right(), right());
    (closing(&mut mine).median_us, closing(&mut its).median_us) = (Some(21_000), Some(2_000));
    assert_eq!(judge(&post("", "").unwrap(), &mine, &its), []);
}

#[test]
fn a_service_that_ends_badly_late_or_not_at_all_is_a_fault() {
    check("closing", "the service did not end well: a letter was lost", |run| {
        closing(run).error = Some("a letter was lost".into())
    });
    check("close_ms", "the service took 1001 ms to end after SIGTERM; the limit is 1000 ms", |run| {
        closing(run).took_ms = 1001
    });
    check("close_ms", "the service had not ended 4000 ms after SIGTERM; the limit is 1000 ms", |run| {
        (closing(run).ended, closing(run).took_ms) = (false, 4000);
    });
    let silent = "the program did not say how its service ended; it should have ended 1000 ms after SIGTERM";
    check("close_ms", silent, |run| run.closing = None);
}

#[test]
fn each_side_is_held_against_what_the_exercise_says_of_it() {
    let exercise = post("", "").unwrap();
    let held = |side: &str, keys: &[&str]| {
        as_stated(&exercise, side, &keys.iter().map(|key| Fault::new(key, "x")).collect::<Vec<_>>())
            .map_err(|why| why.to_string())
    };
    assert_eq!(held("start", &["heap_kib", "tasks"]), Ok(()));
    assert_eq!(held("start", &["heap_kib"]).unwrap_err(), "must fail for `tasks`, and fails for heap_kib (x)");
    assert_eq!(held("trap-sleep", &[]).unwrap_err(), "must fail for `latency`, and passes");
    assert_eq!(held("solution-other", &[]), Ok(()));
    assert_eq!(held("solution", &["tasks"]).unwrap_err(), "must pass, and fails for tasks (x)");
}

#[test]
fn only_a_count_at_rest_that_grew_with_the_work_is_certain_on_a_busy_machine() {
    let certain = |key: &str, spoil: fn(&mut Run)| {
        let (mut run, exercise) = (right(), post("", "").unwrap());
        run.report.plateau.as_mut().unwrap().gauges.insert("tasks".into(), 24);
        run.report.after.insert("tasks".into(), 84);
        spoil(&mut run);
        is_certain(&exercise, &run, &Fault::new(key, "x"))
    };
    assert!(certain("tasks", |_| {}));
    assert!(!certain("tasks", |run| run.report.settled = false));
    assert!(!certain("tasks", |run| run.report.stopped = Some("x".into())));
    // What ends late was seen before it ended.
    assert!(!certain("tasks", |run| {
        run.report.after.remove("tasks");
    }));
    assert!(!certain("tasks", |run| run.report.after.extend([("tasks".into(), 5)])));
    assert!(!certain("latency", |_| {}) && !certain("queue_max", |_| {}));
}
