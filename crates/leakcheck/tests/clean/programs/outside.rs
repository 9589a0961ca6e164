//! What lives outside the runtime: processes, threads, files, signals and other runtimes.

use std::{
    path::PathBuf,
    process::{self, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tokio::{
    fs,
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    runtime::{Builder, Handle},
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    task::{JoinSet, block_in_place, spawn_blocking, yield_now},
};
use tokio_util::{
    sync::CancellationToken,
    task::{LocalPoolHandle, TaskTracker},
};

use super::programs;

programs! {
    EVERYWHERE: [
        process_spawned_and_waited,
        process_talked_to,
        process_killed_and_waited,
        blocking_work_joined,
        blocking_work_feeds_a_task,
        blocking_work_spawns_tasks,
        blocking_work_in_a_tracker,
        file_written_and_read,
        signal_listener_stopped,
        signal_ends_the_service,
        storm_from_eight_threads,
        thread_answers_by_oneshot,
        runtime_in_the_blocking_pool,
        many_workers_in_the_blocking_pool,
        local_pool_joined,
    ],
    REAL_TIME: [
        blocking_work_ends_50_ms_later,
        blocking_work_queues_up,
        storm_after_the_body,
        drip_after_the_body,
        runtime_shut_down_in_background,
        thread_blocks_on_the_handle,
    ],
    TWO_WORKERS: [block_in_place_in_a_task],
}

async fn process_spawned_and_waited() {
    let status = tokio::spawn(async { Command::new("true").status().await.unwrap() }).await.unwrap();
    assert!(status.success());
}

/// Feeds and reads at once, each in a task of its own, as a full pipe asks for.
async fn process_talked_to() {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
    tokio::spawn(async move { input.write_all(&[b'x'; 200_000]).await.unwrap() });
    let read = tokio::spawn(async move {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).await.unwrap()
    });
    assert_eq!(read.await.unwrap(), 200_000);
    assert!(cat.wait().await.unwrap().success());
}

async fn process_killed_and_waited() {
    let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
    let waiter = tokio::spawn(async move {
        sleeper.start_kill().unwrap();
        sleeper.wait().await.unwrap()
    });
    assert!(!waiter.await.unwrap().success());
}

async fn blocking_work_joined() {
    let sum = spawn_blocking(|| (1..=1000_u64).sum::<u64>());
    assert_eq!(sum.await.unwrap(), 500_500);
}

/// A thread of the pool reads, a task writes.
async fn blocking_work_feeds_a_task() {
    let (lines, mut inbox) = mpsc::channel(2);
    spawn_blocking(move || {
        for line in 0..50 {
            lines.blocking_send(line).unwrap();
        }
    });
    let writer = tokio::spawn(async move {
        let mut written = 0;
        while inbox.recv().await.is_some() {
            written += 1;
        }
        written
    });
    assert_eq!(writer.await.unwrap(), 50);
}

async fn blocking_work_spawns_tasks() {
    let spawned = spawn_blocking(|| (0..20).map(|_| tokio::spawn(yield_now())).collect::<Vec<_>>());
    for task in spawned.await.unwrap() {
        task.await.unwrap();
    }
}

async fn blocking_work_in_a_tracker() {
    let tracker = TaskTracker::new();
    for _ in 0..4 {
        tracker.spawn_blocking(|| thread::sleep(Duration::from_millis(2)));
    }
    tracker.close();
    tracker.wait().await;
}

/// A name no other run uses.
fn scratch_file() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("clean-{}-{number}", process::id()))
}

async fn file_written_and_read() {
    let file = scratch_file();
    let text = tokio::spawn(async move {
        fs::write(&file, "some text").await.unwrap();
        let text = fs::read_to_string(&file).await.unwrap();
        fs::remove_file(&file).await.unwrap();
        text
    });
    assert_eq!(text.await.unwrap(), "some text");
}

async fn signal_listener_stopped() {
    let token = CancellationToken::new();
    let mut hangups = signal(SignalKind::hangup()).unwrap();
    tokio::spawn(token.clone().run_until_cancelled_owned(async move { while hangups.recv().await.is_some() {} }));
    yield_now().await;
    token.cancel();
}

/// The service runs until the signal it was made for. The signal goes to every run at once, which harms none.
async fn signal_ends_the_service() {
    let mut stop = signal(SignalKind::user_defined1()).unwrap();
    let service = tokio::spawn(async move { stop.recv().await });
    Command::new("kill").args(["-USR1", &process::id().to_string()]).status().await.unwrap();
    assert!(service.await.unwrap().is_some());
}

fn storm(threads: usize, tasks: usize, pause: Duration) -> Vec<thread::JoinHandle<()>> {
    let storm = |handle: Handle| {
        move || {
            for _ in 0..tasks {
                handle.spawn(yield_now());
                thread::sleep(pause);
            }
        }
    };
    (0..threads).map(|_| thread::spawn(storm(Handle::current()))).collect()
}

/// 1,600 tasks from threads that are no workers.
async fn storm_from_eight_threads() {
    let threads = storm(8, 200, Duration::ZERO);
    spawn_blocking(|| threads.into_iter().for_each(|thread| thread.join().unwrap())).await.unwrap();
}

/// The threads spawn on while the checker looks, and even when the runtime is gone.
async fn storm_after_the_body() {
    drop(storm(8, 20, Duration::from_millis(1)));
}

/// Each task is gone long before the next one comes. Whenever the checker looks, it finds no task or a very young one.
async fn drip_after_the_body() {
    drop(storm(2, 300, Duration::from_micros(100)));
}

async fn thread_answers_by_oneshot() {
    let (reply, answer) = oneshot::channel();
    let task = tokio::spawn(answer);
    thread::spawn(move || reply.send(42).unwrap());
    assert_eq!(task.await.unwrap().unwrap(), 42);
}

/// Tasks of another runtime are none of the checker's business.
async fn runtime_in_the_blocking_pool() {
    let inner = spawn_blocking(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(std::future::pending::<()>());
            tokio::spawn(async { 42 }).await.unwrap()
        })
    });
    assert_eq!(inner.await.unwrap(), 42);
}

async fn many_workers_in_the_blocking_pool() {
    let inner = spawn_blocking(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let tasks: JoinSet<_> = (0..10).map(|number| async move { number }).collect();
            tasks.join_all().await.len()
        })
    });
    assert_eq!(inner.await.unwrap(), 10);
}

/// Threads and runtimes of `tokio-util`'s own.
async fn local_pool_joined() {
    let pool = LocalPoolHandle::new(2);
    let task = pool.spawn_pinned(|| async {
        let shared = std::rc::Rc::new(42);
        yield_now().await;
        *shared
    });
    assert_eq!(task.await.unwrap(), 42);
}

async fn blocking_work_ends_50_ms_later() {
    spawn_blocking(|| thread::sleep(Duration::from_millis(50)));
}

async fn blocking_work_queues_up() {
    for _ in 0..20 {
        spawn_blocking(|| thread::sleep(Duration::from_millis(5)));
    }
    let waits = spawn_blocking(|| thread::sleep(Duration::from_millis(30)));
    tokio::spawn(async move { waits.await.unwrap() });
}

async fn runtime_shut_down_in_background() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (reply, answer) = oneshot::channel();
    runtime.spawn(async move { reply.send(42) });
    assert_eq!(answer.await.unwrap(), 42);
    runtime.shutdown_background();
}

/// The thread drives a future on this runtime's drivers, and the task it talks to ends when it does.
async fn thread_blocks_on_the_handle() {
    let handle = Handle::current();
    let (lines, mut inbox) = mpsc::channel(1);
    tokio::spawn(async move { while inbox.recv().await.is_some() {} });
    thread::spawn(move || {
        handle.block_on(async move {
            for line in 0..5 {
                lines.send(line).await.unwrap();
            }
        });
    });
}

async fn block_in_place_in_a_task() {
    let task = tokio::spawn(async {
        let inner = block_in_place(|| Handle::current().block_on(async { tokio::spawn(async { 42 }).await.unwrap() }));
        yield_now().await;
        inner
    });
    assert_eq!(task.await.unwrap(), 42);
}
