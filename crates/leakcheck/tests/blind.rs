//! What the checker cannot see. Each test holds a leak that the checker misses, so that the documentation stays true.

use std::{future::pending, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use leakcheck::Checker;
use tokio::{runtime::Builder, sync::mpsc, task::LocalSet};

#[test]
fn what_a_method_of_a_local_set_spawns_is_not_seen() {
    let found = Checker::local().find(|| async {
        let set = LocalSet::new();
        set.spawn_local(pending::<()>());
        set.run_until(tokio::task::yield_now()).await;
        std::mem::forget(set);
    });
    assert!(found.report.is_clean(), "no longer blind: {}", found.report);
}

#[test]
fn tasks_of_a_runtime_that_a_library_built_are_not_seen() {
    let found = Checker::current_thread().find(|| async {
        let library = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        library.spawn(pending::<()>());
        let alive = library.metrics().num_alive_tasks();
        library.shutdown_background();
        alive
    });
    assert_eq!(found.value.unwrap(), 1, "the library had a task");
    assert!(found.report.is_clean(), "no longer blind: {}", found.report);
}

#[test]
fn plain_threads_are_not_seen() {
    let found = Checker::current_thread().find(|| async {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv());
        assert!(!thread.is_finished());
        stop
    });
    assert!(found.report.is_clean(), "no longer blind: {}", found.report);
}

#[test]
fn futures_that_pile_up_inside_one_task_are_one_task() {
    let found = Checker::current_thread().find(|| async {
        let (send, mut jobs) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut running = FuturesUnordered::new();
            loop {
                tokio::select! {
                    Some(()) = jobs.recv() => running.push(pending::<()>()),
                    Some(()) = running.next() => {}
                    else => break,
                }
            }
        });
        for _ in 0..100 {
            send.send(()).await.unwrap();
        }
    });
    assert_eq!(found.report.tasks(), 1, "a hundred futures wait, in one task: {}", found.report);
}

#[test]
fn a_path_that_the_test_does_not_take_is_not_judged() {
    async fn fetch(fail: bool) -> Result<(), ()> {
        let connection = tokio::spawn(pending::<()>());
        if fail {
            return Err(());
        }
        connection.abort();
        Ok(())
    }
    let happy = Checker::current_thread().find(|| async { fetch(false).await.unwrap() });
    assert!(happy.report.is_clean(), "{}", happy.report);
    let unhappy = Checker::current_thread().find(|| async { fetch(true).await.unwrap_err() });
    assert_eq!(unhappy.report.tasks(), 1, "{}", unhappy.report);
}

#[test]
fn a_collected_join_set_is_reported_at_tokios_line() {
    let found = Checker::current_thread().find(|| async {
        let mut set: tokio::task::JoinSet<()> = (0..3).map(|_| pending()).collect();
        set.detach_all();
    });
    let group = &found.report.survivors[0];
    assert_eq!(group.count, 3, "{}", found.report);
    assert!(group.file.ends_with("join_set.rs"), "no longer blind: {}", found.report);
}

/// A plain thread that was given a name is not known as the test's, so it gets less time than others.
#[test]
fn a_wakeup_of_a_thread_with_a_name_that_takes_longer_than_two_and_a_half_seconds_comes_too_late() {
    let body = |delay| async move {
        let (wake, woken) = tokio::sync::oneshot::channel();
        tokio::spawn(woken);
        let (begun, begins) = tokio::sync::oneshot::channel();
        let answer = move || {
            begun.send(()).unwrap();
            std::thread::sleep(delay);
            wake.send(()).unwrap_or_default();
        };
        std::thread::Builder::new().name("peer".into()).spawn(answer).unwrap();
        begins.await.unwrap();
    };
    for paused in [false, true] {
        let find = |delay| Checker::current_thread().start_paused(paused).find(move || body(delay)).report;
        let late = find(Duration::from_secs(4));
        assert_eq!(late.tasks(), 1, "no longer blind: {late}");
        let in_time = find(Duration::from_secs(1));
        assert!(in_time.is_clean(), "{in_time}");
    }
}
