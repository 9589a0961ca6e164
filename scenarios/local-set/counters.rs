//! Ten parked tasks, spawned in several ways, and who sees them, as a table.
//!
//! Run it: `cargo run --example local-set-counters`

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use leakcheck::Checker;
use tokio::{
    runtime::{Builder, LocalOptions},
    task::{LocalSet, spawn_local, yield_now},
};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

const TASKS: usize = 10;

fn main() {
    print!("{}", table());
}

fn table() -> String {
    let head = "ten tasks, by | `num_alive_tasks` | spawn hook | end hook | console: `task` | console: `local` | leak test";
    let mut table =
        format!("| {head} |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for (name, way) in WAYS {
        let seen = seen(way);
        let found = found(way);
        table += &format!("| {name} | {seen} | {found} |\n");
    }
    table
}

#[derive(Clone, Copy)]
enum Way {
    Spawn,
    InSet,
    SetMethod,
    LocalRuntime,
    SpawnOnLocalRuntime,
}

const WAYS: [(&str, Way); 5] = [
    ("`tokio::spawn`", Way::Spawn),
    ("`spawn_local`, in `LocalSet::run_until`", Way::InSet),
    ("`LocalSet::spawn_local`", Way::SetMethod),
    ("`spawn_local`, on a `LocalRuntime`", Way::LocalRuntime),
    ("`tokio::spawn`, on a `LocalRuntime`", Way::SpawnOnLocalRuntime),
];

// ANCHOR: spawned
/// Spawns them, and returns the set that holds them, if there is one.
async fn spawned(way: Way) -> LocalSet {
    let set = LocalSet::new();
    for _ in 0..TASKS {
        match way {
            Way::Spawn | Way::SpawnOnLocalRuntime => {
                drop(tokio::spawn(pending::<()>()));
            }
            Way::InSet => {
                let spawning = async {
                    drop(spawn_local(pending::<()>()));
                };
                set.run_until(spawning).await;
            }
            Way::SetMethod => {
                drop(set.spawn_local(pending::<()>()));
            }
            Way::LocalRuntime => {
                drop(spawn_local(pending::<()>()));
            }
        }
    }
    yield_now().await;
    set
}
// ANCHOR_END: spawned

impl Way {
    fn is_on_local_runtime(self) -> bool {
        matches!(self, Self::LocalRuntime | Self::SpawnOnLocalRuntime)
    }
}

/// What the runtime's counter, its hooks and a console see.
fn seen(way: Way) -> String {
    let spans = Spans::default();
    let subscriber = registry().with(spans.clone());
    let _watched = tracing::subscriber::set_default(subscriber);
    let (spawns, ends) = (Count::default(), Count::default());
    let (spawn, end) = (spawns.clone(), ends.clone());
    let mut builder = Builder::new_current_thread();
    builder.on_task_spawn(move |_| add(&spawn));
    builder.on_task_terminate(move |_| add(&end));
    let look = || {
        let [task, local] =
            [&spans.task, &spans.local].map(|n| n.load(Relaxed));
        (spawns.load(Relaxed), task, local)
    };
    let (alive, (spawned, task, local)) = if way.is_on_local_runtime()
    {
        let runtime =
            builder.build_local(LocalOptions::default()).unwrap();
        let _set = runtime.block_on(spawned(way));
        (runtime.metrics().num_alive_tasks(), look())
    } else {
        let runtime = builder.build().unwrap();
        let _set = runtime.block_on(spawned(way));
        (runtime.metrics().num_alive_tasks(), look())
    };
    // With the runtime, or the set, all of them have ended.
    let ended = ends.load(Relaxed);
    format!("{alive} | {spawned} | {ended} | {task} | {local}")
}

/// What a leak test finds, with the flavor that fits.
fn found(way: Way) -> usize {
    let checker = if way.is_on_local_runtime() {
        Checker::local()
    } else {
        Checker::current_thread()
    };
    let body = move || async move {
        // The service goes on: its set is not dropped.
        std::mem::forget(spawned(way).await);
    };
    checker.find(body).report.tasks()
}

type Count = Arc<AtomicUsize>;

fn add(count: &Count) {
    count.fetch_add(1, Relaxed);
}

/// Counts the spans that tokio-console lists as tasks, by their kind.
#[derive(Clone, Default)]
struct Spans {
    task: Count,
    local: Count,
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(
        &self,
        span: &span::Attributes<'_>,
        _id: &span::Id,
        _context: Context<'_, S>,
    ) {
        if span.metadata().name() == "runtime.spawn" {
            span.record(&mut Kind(self));
        }
    }
}

struct Kind<'a>(&'a Spans);

impl Visit for Kind<'_> {
    fn record_debug(
        &mut self,
        field: &Field,
        value: &dyn std::fmt::Debug,
    ) {
        match (field.name(), format!("{value:?}").as_str()) {
            ("kind", "task") => add(&self.0.task),
            ("kind", "local") => add(&self.0.local),
            _ => {}
        }
    }
}

#[test]
fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table(), include_str!("counters.md"));
}
