//! What a ledger counts, and from where it may be read.

use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use leakcheck::Line;
use tokio::{runtime::Builder, task::yield_now};

use crate::{eventually, line, service};

/// Spawned, ended, alive.
fn counts(line: &Line) -> (u64, u64, u64) {
    (line.spawned, line.ended, line.alive)
}

#[test]
fn each_line_has_its_own_counts_whichever_way_its_tasks_end() {
    for workers in [0, 2] {
        let (runtime, watch) = service(workers);
        const SPAWN: u32 = line!() + 2;
        runtime.block_on(async {
            let ends = tokio::spawn(async {});
            let stays = tokio::spawn(pending::<()>());
            let aborted = tokio::spawn(pending::<()>());
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
            ends.await.unwrap();
            drop(stays);
        });
        let at = |ledger: &_, offset| counts(&line(ledger, file!(), SPAWN + offset));
        let ledger = eventually(&watch, |ledger| at(ledger, 0).2 + at(ledger, 2).2 == 0);
        assert_eq!([at(&ledger, 0), at(&ledger, 1), at(&ledger, 2)], [(1, 1, 0), (1, 0, 1), (1, 1, 0)], "{ledger}");
        // The end of the runtime ends the task, and the ledger stays readable.
        drop(runtime);
        assert_eq!(at(&watch.ledger(), 1), (1, 1, 0), "{}", watch.ledger());
    }
}

/// Threads that are not the runtime's spawn too, more at once than have counters of their own.
#[test]
fn spawns_of_many_threads_are_counted_exactly() {
    const THREADS: u64 = 40;
    const TASKS: u64 = 500;
    let (runtime, watch) = service(2);
    let reading = AtomicBool::new(true);
    thread::scope(|scope| {
        let spawners: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(yield_now())).collect();
                    tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
                })
            })
            .collect();
        // Whoever reads meanwhile never sees more ends than spawns, nor a count that falls.
        let reader = scope.spawn(|| {
            let mut last = (0, 0);
            while reading.load(Ordering::Relaxed) {
                let now = watch.ledger().lines.first().map_or((0, 0), |line| (line.spawned, line.ended));
                assert!(now.1 <= now.0 && last.0 <= now.0 && last.1 <= now.1, "{last:?} {now:?}");
                last = now;
            }
            last
        });
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
        reading.store(false, Ordering::Relaxed);
        assert!(reader.join().unwrap().0 > 0, "nothing was read meanwhile");
    });
    let all = THREADS * TASKS;
    let ledger = eventually(&watch, |ledger| ledger.lines[0].ended == all);
    assert_eq!(ledger.lines.len(), 1, "{ledger}");
    assert_eq!(counts(&ledger.lines[0]), (all, all, 0));
}

/// `structure.md`, D11: a metrics page usually has a runtime of its own.
#[test]
fn a_ledger_read_in_another_runtime_is_of_the_watched_one() {
    let (runtime, watch) = service(1);
    const SPAWN: u32 = line!() + 1;
    runtime.spawn(pending::<()>());
    let mut builder = Builder::new_multi_thread();
    let admins = leakcheck::attach(builder.worker_threads(1)).install();
    let admin = builder.build().unwrap();
    let page = watch.clone();
    let ledger = admin.block_on(async { tokio::spawn(async move { page.ledger() }).await.unwrap() });
    assert_eq!(ledger.lines.len(), 1, "{ledger}");
    assert_eq!(counts(&line(&ledger, file!(), SPAWN)), (1, 0, 1));
    assert_eq!(admins.ledger().lines.len(), 1, "{}", admins.ledger());
}

#[test]
fn the_birth_of_the_oldest_is_a_fixed_instant() {
    let (runtime, watch) = service(0);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let spawn = || runtime.spawn(pending::<()>());
    let first = runtime.spawn(ended);
    let before = watch.ledger();
    let oldest = before.lines[0].oldest.unwrap();
    assert!(oldest.birth <= before.taken && before.begun <= oldest.birth);
    // Until the coarse clock has moved, and a second task of another line has another birth.
    let begun = Instant::now();
    let after = loop {
        thread::sleep(Duration::from_millis(20));
        let after = watch.ledger();
        assert_eq!(after.lines[0].oldest.unwrap().birth, oldest.birth);
        if after.lines[0].oldest.unwrap().age >= oldest.age + Duration::from_millis(200) {
            break after;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "the age stands still:\n{after}");
    };
    let age = after.lines[0].oldest.unwrap().age;
    assert_eq!(after.taken.duration_since(oldest.birth).unwrap(), age);
    spawn();
    let [one, other] = &watch.ledger().lines[..] else { panic!("two lines") };
    let births = [one, other].map(|line| line.oldest.unwrap().birth);
    assert_ne!(births[0], births[1]);
    assert_eq!(births.into_iter().min(), Some(oldest.birth));
    drop(end);
    runtime.block_on(first).unwrap().unwrap_err();
    assert_eq!(watch.ledger().lines.iter().filter(|line| line.oldest.is_some()).count(), 1);
}

#[test]
fn older_tasks_are_counted_for_each_age_that_was_asked_for() {
    let (runtime, watch) = service(0);
    let spawn = |tasks| (0..tasks).for_each(|_| drop(runtime.spawn(pending::<()>())));
    spawn(3);
    let age = || watch.ledger().lines[0].oldest.unwrap().age;
    let begun = Instant::now();
    while age() < Duration::from_millis(300) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the age stands still");
        thread::sleep(Duration::from_millis(10));
    }
    spawn(2);
    let ages = [Duration::from_secs(3_600), Duration::ZERO, Duration::from_millis(200), Duration::ZERO];
    let ledger = watch.ledger_of_ages(&ages);
    let older: Vec<_> = ledger.lines[0].older.iter().map(|older| (older.than, older.tasks)).collect();
    assert_eq!(older.len(), 3, "sorted, each once: {older:?}");
    assert_eq!((older[1], older[2]), ((Duration::from_millis(200), 3), (Duration::from_secs(3_600), 0)));
    assert!((3..=5).contains(&older[0].1), "those of this very millisecond are not older than 0: {older:?}");
}

/// Whatever is meant to stay would else be the oldest for ever.
#[test]
fn what_is_meant_to_stay_is_counted_and_is_not_the_oldest() {
    let mut builder = Builder::new_current_thread();
    let watch = leakcheck::attach(&mut builder).allow(&format!("{}:{ALLOWED}", file!())).install();
    let runtime = builder.build().unwrap();
    const ALLOWED: u32 = line!() + 1;
    runtime.spawn(pending::<()>());
    let both = |daemon: bool| {
        let spawn = || runtime.spawn(pending::<()>());
        if daemon { leakcheck::daemon("keeper", spawn) } else { spawn() }
    };
    both(true);
    let ledger = watch.ledger();
    assert!(ledger.lines.iter().all(|line| (line.alive, line.allowed, line.oldest) == (1, 1, None)), "{ledger:?}");
    both(false);
    let line = line(&watch.ledger(), file!(), ALLOWED + 2);
    assert_eq!((line.alive, line.allowed), (2, 1));
    assert!(line.oldest.is_some());
}

/// A location that the compiler made twice, of one line of a generic function, is one line of the ledger.
#[test]
fn a_line_is_one_line_however_often_the_compiler_has_it() {
    let (runtime, watch) = service(0);
    fn spawn<T: Send + Default + 'static>(runtime: &tokio::runtime::Runtime) {
        runtime.spawn(async { T::default() });
    }
    spawn::<u8>(&runtime);
    spawn::<String>(&runtime);
    spawn::<Vec<u8>>(&runtime);
    let ledger = watch.ledger();
    assert_eq!(ledger.lines.len(), 1, "{ledger}");
    assert_eq!(ledger.lines[0].spawned, 3);
}

/// What the counts leave out, and what they must not take for an end.
#[test]
fn blocking_closures_and_local_sets_are_in_no_count() {
    let (runtime, watch) = service(0);
    runtime.block_on(async {
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        let local = tokio::task::LocalSet::new();
        local.run_until(async { tokio::task::spawn_local(async {}).await.unwrap() }).await;
    });
    assert_eq!(watch.ledger().lines, []);
    // A runtime that is gone refuses a task: it has not lived.
    let handle = runtime.handle().clone();
    drop(runtime);
    drop(handle.spawn(async {}));
    assert_eq!(watch.ledger().lines, []);
}

#[test]
fn json_and_text_say_what_the_fields_say() {
    let (runtime, watch) = service(0);
    const SPAWN: u32 = line!() + 1;
    runtime.spawn(pending::<()>());
    let ledger = watch.ledger_of_ages(&[Duration::from_millis(1_500)]);
    let birth = ledger.lines[0].oldest.unwrap().birth.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let (json, text) = (ledger.to_json(), ledger.to_string());
    for part in [
        format!("\"lines\":[{{\"location\":\"{}:{SPAWN}:", file!()),
        format!("\"oldest_birth_seconds\":{}.{:03},", birth / 1_000, birth % 1_000),
        "\"spawned\":1,\"ended\":0,\"alive\":1,\"allowed\":0,\"panicked\":0,".to_owned(),
        "\"older_than\":[{\"seconds\":1.500,\"tasks\":0}]}]}".to_owned(),
    ] {
        assert!(json.contains(&part), "{part} is not in {json}");
    }
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().nth(1).unwrap().contains(&format!("  {}:{SPAWN}:", file!())), "{text}");
}
