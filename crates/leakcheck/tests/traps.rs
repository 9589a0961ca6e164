//! The runtime's hooks, as tokio 1.54.1 calls them, are full of traps for a registry. One test each.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use leakcheck::{Checker, Report};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::oneshot,
    task::{JoinSet, spawn_blocking, yield_now},
};
use tokio_util::task::{JoinMap, TaskTracker};

fn both(body: fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>, judge: impl Fn(&Report)) {
    for checker in [Checker::current_thread(), Checker::current_thread().start_paused(true), Checker::multi_thread(2)] {
        let found = checker.find(body);
        found.value.expect("the body returns");
        judge(&found.report);
    }
}

fn clean(report: &Report) {
    assert!(report.is_clean(), "{report}");
}

/// One task at each of these lines of this file.
fn at(report: &Report, lines: &[u32]) {
    let mut found: Vec<_> = report.survivors.iter().map(|group| (group.line, group.count)).collect();
    found.sort_unstable();
    assert_eq!(found, lines.iter().map(|line| (*line, 1)).collect::<Vec<_>>(), "{report}");
}

#[test]
fn every_way_to_spawn_is_reported_at_the_line_of_its_caller() {
    const FIRST: u32 = line!() + 5;
    both(
        || {
            Box::pin(async {
                let (mut set, mut map, tracker) = (JoinSet::new(), JoinMap::new(), TaskTracker::new());
                tokio::spawn(pending::<()>());
                tokio::runtime::Handle::current().spawn(pending::<()>());
                set.spawn(pending::<()>());
                map.spawn(1, pending::<()>());
                tracker.spawn(pending::<()>());
                set.detach_all();
                map.detach_all();
            })
        },
        |report| at(report, &[FIRST, FIRST + 1, FIRST + 2, FIRST + 3, FIRST + 4]),
    );
}

#[test]
fn a_local_runtimes_tasks_are_seen_when_the_user_attaches() {
    let mut builder = Builder::new_current_thread();
    let watch = leakcheck::attach(builder.enable_all()).install();
    let runtime = builder.build_local(LocalOptions::default()).unwrap();
    const SPAWN: u32 = line!() + 2;
    runtime.block_on(async {
        tokio::task::spawn_local(pending::<()>());
        at(&watch.find().await, &[SPAWN]);
    });
}

#[track_caller]
fn spawn_with_caller() {
    tokio::spawn(pending::<()>());
}

fn spawn_without_caller() {
    tokio::spawn(pending::<()>());
}
const PLAIN_WRAPPER: u32 = line!() - 2;

#[test]
fn a_wrapper_needs_track_caller_to_pass_its_callers_line_on() {
    const CALL: u32 = line!() + 4;
    both(
        || {
            Box::pin(async {
                spawn_with_caller();
                spawn_without_caller();
            })
        },
        |report| at(report, &[PLAIN_WRAPPER, CALL]),
    );
}

#[test]
fn a_task_that_panics_or_is_aborted_or_dropped_with_its_set_is_gone() {
    both(
        || {
            Box::pin(async {
                tokio::spawn(async { panic!("a task's own panic") }).await.unwrap_err();
                tokio::spawn(pending::<()>()).abort();
                let mut set = JoinSet::new();
                set.spawn(pending::<()>());
            })
        },
        clean,
    );
}

#[test]
fn the_body_itself_is_no_task() {
    both(
        || {
            Box::pin(async {
                assert!(tokio::task::try_id().is_none());
                yield_now().await;
            })
        },
        clean,
    );
}

#[test]
fn blocking_closures_end_without_having_been_born() {
    both(
        || {
            Box::pin(async {
                for _ in 0..100 {
                    spawn_blocking(|| {}).await.unwrap();
                }
            })
        },
        clean,
    );
}

#[test]
fn a_blocking_closure_that_stays_is_counted_and_what_it_spawned_has_no_parent_line() {
    const SPAWN: u32 = line!() + 6;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let found = Checker::current_thread().find(|| async move {
        let (begun, begin) = oneshot::channel();
        spawn_blocking(move || {
            begun.send(()).unwrap();
            tokio::runtime::Handle::current().spawn(pending::<()>());
            stopped.recv().unwrap_err();
        });
        begin.await.unwrap();
    });
    at(&found.report, &[SPAWN]);
    assert_eq!(found.report.blocking, 1, "{}", found.report);
    assert_eq!(found.report.survivors[0].parents[0].location, None);
    drop(stop);
}

#[test]
fn the_parent_of_a_task_is_named_by_its_spawn_line_even_if_it_has_ended() {
    const PARENT: u32 = line!() + 4;
    both(
        || {
            Box::pin(async {
                let parent = tokio::spawn(async {
                    tokio::spawn(pending::<()>());
                });
                parent.await.unwrap();
            })
        },
        |report| {
            at(report, &[PARENT + 1]);
            let parent = report.survivors[0].parents[0].location.as_deref().unwrap_or("none");
            assert!(parent.contains(&format!("traps.rs:{PARENT}:")), "{parent}");
        },
    );
}

#[test]
fn the_ends_of_worker_loops_are_not_the_ends_of_tasks() {
    let mut builder = Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.worker_threads(2).enable_all()).install();
    let runtime = builder.build().unwrap();
    runtime.spawn(pending::<()>());
    assert_eq!(watch.report().tasks(), 1);
    drop(runtime);
    assert_eq!(watch.report().tasks(), 0, "{}", watch.report());
}

#[test]
fn a_spawn_on_a_runtime_that_is_gone_leaves_no_phantom() {
    for flavor in [Builder::new_current_thread, Builder::new_multi_thread] {
        let mut builder = flavor();
        let watch = leakcheck::attach(builder.enable_all()).install();
        let runtime = builder.build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        for _ in 0..100 {
            handle.spawn(pending::<()>());
        }
        assert_eq!(watch.report().tasks(), 0, "{}", watch.report());
    }
}

#[test]
fn a_task_whose_joiner_is_awake_before_its_end_is_told_is_no_leak() {
    let found = Checker::multi_thread(2).find(|| async {
        for _ in 0..200 {
            let tasks: Vec<_> = (0..100).map(|_| tokio::spawn(yield_now())).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
    clean(&found.report);
}

#[test]
fn hooks_of_the_users_own_are_called_too() {
    let calls = Arc::new([const { AtomicUsize::new(0) }; 5]);
    let count = |place: usize| {
        let calls = calls.clone();
        move || {
            calls[place].fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut builder = Builder::new_multi_thread();
    let (spawned, ended, before, after) = (count(0), count(1), count(2), count(3));
    let watch = leakcheck::attach(builder.worker_threads(1).enable_all())
        .on_task_spawn(move |_| spawned())
        .on_task_terminate(move |_| ended())
        .on_before_task_poll(move |_| before())
        .on_after_task_poll(move |_| after())
        .on_thread_start(count(4))
        .install();
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        tokio::spawn(yield_now()).await.unwrap();
        tokio::spawn(pending::<()>());
        assert_eq!(watch.find().await.tasks(), 1);
    });
    drop(runtime);
    let seen: Vec<_> = calls.iter().map(|calls| calls.load(Ordering::Relaxed)).collect();
    assert_eq!(seen[0], 2, "spawned");
    assert!(seen[1] >= 2, "ended: {seen:?}");
    assert_eq!(seen[2], seen[3], "each poll begins and ends");
    assert_eq!(seen[2], 3, "polls");
    assert_eq!(seen[4], 1, "threads");
}

#[test]
fn a_busy_task_that_starves_virtual_time_and_then_ends_is_no_leak() {
    let found = Checker::current_thread().start_paused(true).find(|| async {
        tokio::spawn(async {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(100) {
                yield_now().await;
            }
        });
    });
    clean(&found.report);
}

#[test]
fn virtual_time_waits_for_real_sockets_and_blocking_closures() {
    let found = Checker::current_thread().start_paused(true).find(|| async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { listener.accept().await.unwrap() });
        // Connects from outside, in real time, after the body.
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            std::net::TcpStream::connect(address).unwrap();
        });
        spawn_blocking(|| std::thread::sleep(Duration::from_millis(50)));
    });
    clean(&found.report);
}

#[test]
fn a_paused_runtime_that_waits_for_real_time_does_not_jump_to_a_far_timer() {
    let found = Checker::current_thread().start_paused(true).find(|| async {
        let listening = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        std::mem::forget(listening);
        tokio::spawn(tokio::time::sleep(Duration::from_secs(3_600)));
    });
    assert_eq!(found.report.tasks(), 1, "an open socket asks for real time: {}", found.report);
}
