//! What is kept of a task that has ended, by the form that holds its handle, as a table.
//!
//! Run it: `cargo run --example unreaped-handles-memory`

use std::{alloc::System, hint::black_box};

use futures_util::stream::FuturesUnordered;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{
    runtime::Builder,
    task::{JoinHandle, JoinSet, yield_now},
};
use tokio_util::task::TaskTracker;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Tasks that end, one after the other.
const TASKS: usize = 1_000;

fn main() {
    let head = "| what holds the handles | bytes kept per ended task | with 1 KiB inside its future | with 16 KiB inside | with 16 KiB on the heap |";
    println!("{head}\n|---|--:|--:|--:|--:|");
    row::<Vec<JoinHandle<()>>>("`Vec<JoinHandle>`");
    row::<FuturesUnordered<JoinHandle<()>>>(
        "`FuturesUnordered`, not polled",
    );
    row::<JoinSet<()>>("`JoinSet`, not joined");
    row::<Reaped>("`JoinSet`, `try_join_next` before each spawn");
    row::<TaskTracker>("`TaskTracker`");
}

fn row<F: Form>(name: &str) {
    let kept = [
        kept::<F, _>(inside::<1>),
        kept::<F, _>(inside::<1024>),
        kept::<F, _>(inside::<16384>),
        kept::<F, _>(on_the_heap),
    ];
    let [small, some, much, heap] = kept.map(|bytes| bytes / TASKS);
    println!("| {name} | {small} | {some} | {much} | {heap} |");
}

/// Bytes that are still allocated after all tasks have ended.
fn kept<F: Form, T>(talk: impl Fn() -> T) -> usize
where
    T: Future<Output = ()> + Send + 'static,
{
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut form = F::default();
        let region = Region::new(COUNTED);
        for _ in 0..TASKS {
            form.spawn(talk());
            // It runs to its `.await`, and then to its end.
            while runtime.metrics().num_alive_tasks() > 0 {
                yield_now().await;
            }
        }
        let change = region.change();
        change
            .bytes_allocated
            .saturating_sub(change.bytes_deallocated)
    })
}

/// A talk with a buffer that is part of its future.
async fn inside<const BYTES: usize>() {
    let buffer = [0_u8; BYTES];
    yield_now().await;
    black_box(&buffer);
}

async fn on_the_heap() {
    let buffer = vec![0_u8; 16384];
    yield_now().await;
    black_box(&buffer);
}

trait Form: Default {
    fn spawn(
        &mut self,
        talk: impl Future<Output = ()> + Send + 'static,
    );
}

impl Form for Vec<JoinHandle<()>> {
    fn spawn(
        &mut self,
        talk: impl Future<Output = ()> + Send + 'static,
    ) {
        self.push(tokio::spawn(talk));
    }
}

impl Form for FuturesUnordered<JoinHandle<()>> {
    fn spawn(
        &mut self,
        talk: impl Future<Output = ()> + Send + 'static,
    ) {
        self.push(tokio::spawn(talk));
    }
}

impl Form for JoinSet<()> {
    fn spawn(
        &mut self,
        talk: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn(talk);
    }
}

#[derive(Default)]
struct Reaped(JoinSet<()>);

impl Form for Reaped {
    fn spawn(
        &mut self,
        talk: impl Future<Output = ()> + Send + 'static,
    ) {
        while self.0.try_join_next().is_some() {}
        self.0.spawn(talk);
    }
}

impl Form for TaskTracker {
    fn spawn(
        &mut self,
        talk: impl Future<Output = ()> + Send + 'static,
    ) {
        TaskTracker::spawn(self, talk);
    }
}
