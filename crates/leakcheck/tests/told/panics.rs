//! Panics of tasks.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::FutureExt;
use leakcheck::{Checker, Panicked, Report};
use tokio::{
    task::{JoinSet, spawn_blocking, yield_now},
    time::sleep,
};

use crate::run;

const FILE: &str = file!();

fn each(body: fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>, judge: impl Fn(&Report)) {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true), Checker::multi_thread(2)] {
        let found = checker.find(body);
        found.value.expect("the body returns");
        assert!(found.report.is_clean(), "a panic is no leak: {}", found.report);
        judge(&found.report);
    }
}

fn counts(report: &Report) -> Vec<(usize, &str)> {
    report.panics.iter().map(|panicked| (panicked.count, &*panicked.message)).collect()
}

#[test]
fn a_tasks_panic_is_told_with_its_lines_and_its_message() {
    const SPAWN: u32 = line!() + 5;
    each(
        || {
            Box::pin(async {
                for user in 0..3 {
                    tokio::spawn(async move {
                        yield_now().await;
                        panic!("no such user: {user}\nat all");
                    });
                }
            })
        },
        |report| {
            let [Panicked { spawned_at, panicked_at, message, count, .. }] = &report.panics[..] else {
                panic!("{report}");
            };
            assert_eq!((&**spawned_at, *count), (&*format!("{FILE}:{SPAWN}:21"), 3));
            assert_eq!(*panicked_at, Some(format!("{FILE}:{}:25", SPAWN + 2)));
            assert!(message.starts_with("no such user: ") && message.ends_with("\nat all"), "{message}");
            assert_eq!(report.to_string().lines().count(), 2, "a message has one line: {report}");
        },
    );
}

#[test]
fn whether_somebody_joined_cannot_be_told() {
    each(
        || {
            Box::pin(async {
                tokio::spawn(async { panic!("joined") }).await.unwrap_err();
                let mut set = JoinSet::new();
                set.spawn(async { panic!("joined by its set") });
                set.join_next().await.unwrap().unwrap_err();
            })
        },
        |report| assert_eq!(counts(report), [(1, "joined"), (1, "joined by its set")]),
    );
}

#[test]
fn closures_of_the_blocking_pool_and_drops_of_aborted_tasks_are_told_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in its drop");
        }
    }
    each(
        || {
            Box::pin(async {
                spawn_blocking(|| panic!("in the pool")).await.unwrap_err();
                let bomb = Bomb;
                let task = tokio::spawn(async move {
                    let _bomb = bomb;
                    pending::<()>().await;
                });
                yield_now().await;
                task.abort();
                assert!(task.await.is_err());
            })
        },
        |report| {
            assert_eq!(counts(report), [(1, "in the pool"), (1, "in its drop")]);
            assert!(report.panics[0].spawned_at.starts_with(FILE), "the line of spawn_blocking: {report}");
        },
    );
}

#[test]
fn a_panic_that_the_task_catches_and_survives_is_none() {
    each(
        || {
            Box::pin(async {
                let task = tokio::spawn(async {
                    AssertUnwindSafe(async { panic!("caught") }).catch_unwind().await.unwrap_err();
                    yield_now().await;
                });
                task.await.unwrap();
                catch_unwind(|| panic!("in the body")).unwrap_err();
            })
        },
        |report| assert_eq!(counts(report), []),
    );
}

/// The gap that the documentation names.
#[test]
fn a_panic_that_is_caught_in_the_tasks_last_poll_is_taken_for_its_end() {
    each(
        || {
            Box::pin(async {
                let task = tokio::spawn(async { catch_unwind(|| panic!("caught")).unwrap_err() });
                assert!(task.await.is_ok());
            })
        },
        |report| assert_eq!(counts(report), [(1, "caught")], "no longer blind"),
    );
}

#[test]
fn a_scope_tells_what_panicked_since_it_began() {
    let found = Checker::current_thread().find(|| async {
        tokio::spawn(async { panic!("before") }).await.unwrap_err();
        let scope = leakcheck::scope();
        tokio::spawn(async { panic!("since") }).await.unwrap_err();
        scope.find().await
    });
    assert_eq!(counts(&found.value.unwrap()), [(1, "since")]);
    assert_eq!(counts(&found.report), [(1, "before"), (1, "since")]);
}

#[test]
fn many_kinds_are_bounded() {
    let found = Checker::current_thread().find(|| async {
        for kind in 0..200 {
            let _scope = leakcheck::scope();
            tokio::spawn(async move { panic!("{kind}") }).await.unwrap_err();
        }
    });
    // One line each, whatever the number of scopes: of 200 generations, the latest 64.
    assert_eq!(counts(&found.report), [(64, "136")], "{}", found.report);
}

#[test]
fn a_leak_is_told_with_the_panics_beside_it() {
    let found = Checker::current_thread().find(|| async {
        tokio::spawn(pending::<()>());
        tokio::spawn(async { panic!("too") });
    });
    let text = found.report.to_string();
    assert!(text.starts_with("leak: 1 task left\n") && text.contains("  1 task spawned at"), "{text}");
    assert!(text.ends_with(": too\n"), "{text}");
    let json = found.report.to_json();
    assert!(json.contains(r#""panics":[{"spawned_at":""#) && json.contains(r#""message":"too","count":1}]"#), "{json}");
}

mod sample {
    use super::*;

    #[leakcheck::test]
    #[ignore = "a sample"]
    async fn panics_notes() {
        tokio::spawn(async { panic!("nobody joins me") });
    }

    #[leakcheck::test(panics = "fail")]
    #[ignore = "a sample"]
    async fn panics_fail() {
        tokio::spawn(async { panic!("nobody joins me") });
    }

    #[leakcheck::test]
    #[should_panic(expected = "the body's own")]
    #[ignore = "a sample"]
    async fn panics_expected() {
        tokio::spawn(async { panic!("nobody joins me") });
        sleep(Duration::from_millis(1)).await;
        panic!("the body's own");
    }

    #[test]
    #[ignore = "a sample"]
    fn panics_hooks() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {
            CALLS.fetch_add(1, Ordering::SeqCst);
        }));
        let find = || {
            Checker::current_thread().find(|| async {
                tokio::spawn(async { panic!("for both hooks") }).await.unwrap_err();
            })
        };
        assert_eq!(find().report.panics.len(), 1);
        assert_eq!(find().report.panics.len(), 1, "the hook is chained once");
        assert_eq!(CALLS.load(Ordering::SeqCst), 2, "the hook that was set before is called");
        // The gap that the documentation names.
        std::panic::set_hook(previous);
        assert_eq!(find().report.panics.len(), 0, "no longer blind");
    }
}

#[test]
fn a_panic_is_a_note_or_a_failure_as_asked() {
    let (output, text) = run("panics::sample::panics_notes", &[]);
    assert!(output.status.success(), "{text}");
    let (output, text) = run("panics::sample::panics_notes", &[("RUST_TEST_NOCAPTURE", "1")]);
    assert!(output.status.success() && text.contains("note: 1 task spawned at "), "{text}");
    let (output, text) = run("panics::sample::panics_fail", &[]);
    assert_eq!(output.status.code(), Some(101), "{text}");
    let (_, failure) = text.split_once("panic in a task:\n  1 task spawned at ").expect(&text);
    assert!(failure.contains(&format!("panicked at {FILE}:")) && failure.contains(": nobody joins me"), "{text}");
}

#[test]
fn tests_that_should_panic_and_other_hooks_are_as_before() {
    for sample in ["panics_expected", "panics_hooks"] {
        let (output, text) = run(&format!("panics::sample::{sample}"), &[]);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}
