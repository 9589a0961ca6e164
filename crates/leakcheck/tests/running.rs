//! Checks inside a running program: attach, scopes, daemons, allowances. Many are goleak's own tests in Tokio form.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use leakcheck::{Body, BodyError, Checker, Findings, Growth};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, oneshot},
    task::yield_now,
};

#[test]
fn a_leak_that_ends_is_clean_afterwards() {
    Checker::current_thread().assert(|| async {
        let scope = leakcheck::scope().settle(Duration::from_millis(20));
        let (end, ended) = oneshot::channel::<()>();
        tokio::spawn(ended);
        assert_eq!(scope.find().await.tasks(), 1);
        drop(end);
        scope.assert().await;
    });
}

#[test]
fn a_scope_forgets_what_lived_before_also_after_it_has_ended() {
    Checker::multi_thread(2).assert(|| async {
        let (end, ended) = oneshot::channel::<()>();
        let old = tokio::spawn(ended);
        let scope = leakcheck::scope().settle(Duration::from_millis(20));
        scope.assert().await;
        drop(end);
        old.await.unwrap().unwrap_err();
        scope.assert().await;
        const SPAWN: u32 = line!() + 1;
        let new = tokio::spawn(pending::<()>());
        let report = scope.find().await;
        assert_eq!(report.survivors[0].line, SPAWN, "{report}");
        new.abort();
        scope.assert().await;
    });
}

#[test]
fn scopes_nest() {
    Checker::current_thread().assert(|| async {
        let outer = leakcheck::scope().settle(Duration::from_millis(20));
        let first = tokio::spawn(pending::<()>());
        let inner = leakcheck::scope().settle(Duration::from_millis(20));
        let second = tokio::spawn(pending::<()>());
        assert_eq!((outer.find().await.tasks(), inner.find().await.tasks()), (2, 1));
        second.abort();
        inner.assert().await;
        first.abort();
        outer.assert().await;
    });
}

#[test]
fn a_scope_ignores_blocking_closures_from_before() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let found = Checker::current_thread().find(move || async move {
        tokio::task::spawn_blocking(move || stopped.recv());
        let scope = leakcheck::scope().settle(Duration::from_millis(20));
        scope.find().await
    });
    assert!(found.value.unwrap().is_clean());
    assert_eq!(found.report.blocking, 1);
    drop(stop);
}

#[test]
#[should_panic(expected = "this runtime is not checked: use #[leakcheck::test]")]
fn a_scope_outside_of_a_checked_runtime_says_what_to_do() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { drop(leakcheck::scope()) });
}

#[test]
fn an_attached_runtime_is_checked_with_real_time_and_without_a_time_driver() {
    let mut builder = Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.worker_threads(2)).allow("running.rs:1").install();
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        watch.assert().await;
        let stop = std::sync::Arc::new(Notify::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move { stopped.notified().await });
        let report = watch.find().await;
        assert_eq!((report.tasks(), report.survivors[0].parked), (1, 1), "{report}");
        stop.notify_one();
        task.await.unwrap();
        watch.assert().await;
    });
}

/// Keeps threads of the runtime's blocking pool busy until what is returned is dropped.
fn keep_busy(runtime: &Runtime, threads: usize) -> Vec<mpsc::Sender<()>> {
    let closure = |_| {
        let (stop, stopped) = mpsc::channel::<()>();
        let (begun, begin) = mpsc::channel();
        runtime.spawn_blocking(move || {
            begun.send(()).unwrap();
            stopped.recv()
        });
        begin.recv().expect("the closure begins");
        stop
    };
    (0..threads).map(closure).collect()
}

#[test]
fn a_report_in_another_runtime_counts_none_of_that_runtimes_blocking_threads() {
    for flavor in [Builder::new_current_thread, Builder::new_multi_thread] {
        let admin = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let _admins_own = keep_busy(&admin, 3);
        let mut builder = flavor();
        let watch = leakcheck::attach(builder.worker_threads(1)).install();
        let service = builder.build().unwrap();
        let ask = |runtime: &Runtime| runtime.block_on(async { watch.report() });
        assert!(ask(&admin).is_clean(), "before the service did anything: {}", ask(&admin));
        let _services_own = keep_busy(&service, 1);
        service.spawn(pending::<()>());
        service.block_on(yield_now());
        let counts = |runtime| (ask(runtime).tasks(), ask(runtime).blocking);
        assert_eq!(counts(&admin), (1, 0), "{}", ask(&admin));
        assert_eq!(counts(&service), (1, 1), "{}", ask(&service));
        assert_eq!((watch.report().tasks(), watch.report().blocking), (1, 0), "outside of runtimes");
    }
}

/// In the other runtime nothing is alive, so a verdict would be clean whatever the watched runtime holds.
#[test]
fn a_verdict_in_another_runtime_is_refused_with_what_to_do() {
    let mut builder = Builder::new_current_thread();
    let watch = leakcheck::attach(&mut builder).install();
    let service = builder.build().unwrap();
    service.spawn(pending::<()>());
    service.block_on(yield_now());
    let admin = Builder::new_current_thread().enable_time().build().unwrap();
    let find = || admin.block_on(async { drop(watch.find().await) });
    let scope = || admin.block_on(async { drop(watch.scope()) });
    for ask in [&find as &dyn Fn(), &scope] {
        let panic = catch_unwind(AssertUnwindSafe(ask)).unwrap_err();
        let text = panic.downcast_ref::<&str>().expect("a message");
        assert!(text.starts_with("this is not the runtime that is watched: call it on the runtime whose"), "{text}");
    }
    assert_eq!(service.block_on(watch.find()).tasks(), 1);
}

#[test]
fn a_scope_that_is_asked_on_a_paused_runtime_waits_in_real_time_for_its_own() {
    let mut builder = Builder::new_multi_thread();
    let watch = leakcheck::attach(builder.worker_threads(1)).install();
    let service = builder.build().unwrap();
    let scope = service.block_on(async { watch.scope() }).settle(Duration::from_secs(20));
    let (end, ended) = oneshot::channel::<()>();
    service.spawn(ended);
    let other = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // Ends the task a little later in real time. Twenty virtual seconds would be over long before.
    let ending = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        drop(end);
    });
    let report = other.block_on(scope.find());
    ending.join().unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_daemon_is_counted_under_its_name_and_its_marked_spawn_only() {
    let found = Checker::current_thread().find(|| async {
        for _ in 0..3 {
            leakcheck::daemon("metrics", || tokio::spawn(pending::<()>()));
        }
        leakcheck::daemon("flusher", || tokio::spawn(pending::<()>()));
        tokio::spawn(pending::<()>());
    });
    let allowed: Vec<_> = found.report.allowed.iter().map(|allowed| (&*allowed.allowance, allowed.tasks)).collect();
    assert_eq!(allowed, [("daemon metrics", 3), ("daemon flusher", 1)]);
    assert_eq!(found.report.tasks(), 1);
    assert!(found.report.to_string().contains("  allowed: 3 tasks by daemon metrics\n"), "{}", found.report);
}

#[test]
fn a_daemon_mark_ends_with_its_closure_even_if_it_panics() {
    let found = Checker::current_thread().find(|| async {
        let marked = || leakcheck::daemon("metrics", || panic!("the spawn fails"));
        std::panic::catch_unwind(marked).unwrap_err();
        tokio::spawn(pending::<()>());
    });
    assert_eq!(found.report.tasks(), 1, "{}", found.report);
}

#[test]
fn allowances_say_what_they_swallowed_and_which_matched_nothing() {
    const SPAWN: u32 = line!() + 3;
    let line = format!("tests/running.rs:{SPAWN}");
    let found = Checker::current_thread().allow(&line).allow("hyper-util").find(|| async {
        (0..5).for_each(|_| drop(tokio::spawn(pending::<()>())));
        tokio::spawn(pending::<()>());
    });
    assert_eq!(found.report.tasks(), 1, "{}", found.report);
    assert_eq!((found.report.allowed[0].tasks, found.report.allowed[1].tasks), (5, 0));
    assert_eq!(found.report.unused_allowances().collect::<Vec<_>>(), ["hyper-util"]);
    assert!(found.report.to_string().contains("unused allowance: hyper-util covered no task"), "{}", found.report);
}

#[test]
fn more_blocking_closures_than_allowed_are_reported() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stopped = std::sync::Arc::new(std::sync::Mutex::new(stopped));
    let found = Checker::current_thread().allow_blocking(2).find(move || async move {
        for _ in 0..3 {
            let stopped = stopped.clone();
            tokio::task::spawn_blocking(move || stopped.lock().unwrap().recv());
        }
    });
    assert_eq!((found.report.blocking, found.report.allowed[0].tasks), (1, 2), "{}", found.report);
    drop(stop);
}

#[test]
#[should_panic(expected = "cannot read the allowance \"src/metrics\"")]
fn an_allowance_that_cannot_be_read_is_an_error() {
    let _ = Checker::current_thread().allow("src/metrics");
}

#[test]
#[should_panic(expected = "the body's own panic")]
fn the_first_failure_is_not_masked_by_the_leak() {
    Checker::current_thread().assert(|| async {
        tokio::spawn(pending::<()>());
        panic!("the body's own panic");
    });
}

#[test]
fn a_body_that_panics_is_told_from_one_that_never_returns() {
    let Findings { report, value, .. } = Checker::current_thread().find(|| async { panic!("the body's own panic") });
    assert_eq!(report.body, Body::Panicked);
    assert!(matches!(value, Err::<(), _>(BodyError::Panicked(_))));
    let hung = Checker::current_thread().deadline(Duration::from_millis(50)).find(pending::<()>);
    assert!(matches!(hung.report.body, Body::Overdue(_)), "{}", hung.report);
    assert!(matches!(hung.value, Err(BodyError::Overdue)));
    assert!(!hung.report.is_clean());
}

#[test]
fn what_an_abandoned_body_holds_is_dropped() {
    struct Tell(std::sync::mpsc::Sender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send(()).unwrap_or_default();
        }
    }
    let (send, dropped) = std::sync::mpsc::channel();
    let hung = Checker::multi_thread(1).deadline(Duration::from_millis(50)).find(move || async move {
        let _held = Tell(send);
        pending::<()>().await;
    });
    assert!(matches!(hung.report.body, Body::Overdue(_)), "{}", hung.report);
    dropped.recv_timeout(Duration::from_secs(10)).expect("the body was dropped");
}

#[test]
fn ten_thousand_equal_leaks_are_one_line() {
    let found = Checker::current_thread().find(|| async {
        for _ in 0..10_000 {
            tokio::spawn(pending::<()>());
        }
    });
    assert_eq!(found.report.survivors.len(), 1);
    assert_eq!(found.report.to_string().lines().count(), 3, "{}", found.report);
    assert!(found.report.to_string().starts_with("leak: 10000 tasks left\n  10000 tasks spawned at "));
}

#[test]
fn more_tasks_than_the_table_has_places_are_all_counted_and_forgotten() {
    Checker::current_thread().settle(Duration::from_millis(20)).assert(|| async {
        let scope = leakcheck::scope().settle(Duration::from_millis(20));
        let tasks: Vec<_> = (0..150_000).map(|_| tokio::spawn(pending::<()>())).collect();
        assert_eq!(scope.find().await.tasks(), 150_000);
        tasks.iter().for_each(|task| task.abort());
        for task in tasks {
            task.await.unwrap_err();
        }
    });
}

#[test]
fn growth_tells_a_background_from_a_leak() {
    let background = Growth::of(5).find(|_| async { drop(tokio::spawn(pending::<()>())) });
    assert!(!background.is_leak(), "{background}");
    assert_eq!(background.trend.background, 1.0);
    const SPAWN: u32 = line!() + 3;
    let leak = Growth::of(5).on(Checker::multi_thread(2)).find(|operations| async move {
        (0..operations).for_each(|_| {
            tokio::spawn(pending::<()>());
        });
    });
    assert!(leak.is_leak());
    assert!(leak.to_string().contains(&format!("1.00 for each operation spawned at {}:{SPAWN}:", file!())), "{leak}");
}

#[test]
#[should_panic(expected = "the operation fails")]
fn growth_passes_the_operations_own_panic_on() {
    Growth::of(1).assert(|_| async { panic!("the operation fails") });
}
