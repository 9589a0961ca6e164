//! Tasks that panicked, told by the process's panic hook.
//!
//! Tokio catches a task's panic and hands it to whoever joins the task. No hook of the runtime tells that a task panicked, and
//! nothing at all tells whether somebody joins it: at tokio 1.54.1 the panic is dropped or kept inside the task
//! (`Harness::complete` in `runtime/task/harness.rs`) before the terminate hook is called with no more than id and line.
//!
//! The panic hook runs inside the poll, where tokio knows the task's id. A panic that the task itself catches looks the same
//! at that moment, so a panic counts when its task ends in the same poll.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    panic::{self, PanicHookInfo},
    sync::{Mutex, Once},
    thread,
};

use tokio::task;

use crate::{
    hash::number,
    lock::lock,
    report::{Panicked, shorten},
    sites::Site,
    threads,
};

/// Kinds of panics kept for a runtime; of more, the latest. A service may go on for years.
const KINDS_MAX: usize = 64;
/// Letters kept of a message.
const MESSAGE_MAX: usize = 300;

thread_local! {
    /// The task that panicked last on this thread; 0 is none. It says without a borrow that `LAST` need not be read.
    static TASK: Cell<u64> = const { Cell::new(0) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// A panic inside a task.
#[derive(Clone, Debug)]
pub(crate) struct Panic {
    /// The thread's poll in which it happened.
    poll: u64,
    location: Option<String>,
    message: String,
}

/// Watches for panics from now on, by a hook before the hook that is set.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    // A thread that panics may not change the hook.
    if !thread::panicking() {
        ONCE.call_once(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                note(info);
                previous(info);
            }));
        });
    }
}

/// Notes the panic if it is a task's. It must not panic itself.
fn note(info: &PanicHookInfo<'_>) {
    let Some(task) = task::try_id() else { return };
    let location = info.location().map(|at| format!("{}:{}:{}", shorten(at.file()), at.line(), at.column()));
    let message = text(info).unwrap_or("a value that is no text").chars().take(MESSAGE_MAX).collect();
    let task = number(task);
    let panic = Panic { poll: threads::poll_of(task), location, message };
    // A thread at its end has no thread-locals, and a panic within a panic finds them borrowed.
    let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = Some(panic)));
    let _ = TASK.try_with(|last| last.set(task));
}

/// What `panic!` makes of its arguments. `PanicHookInfo::payload_as_str` came with Rust 1.91.
fn text<'a>(info: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    let payload = info.payload();
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// The panic that ends this task, if one does. Called by the terminate hook, on the thread that ends the task.
pub(crate) fn take(task: u64) -> Option<Panic> {
    if TASK.get() != task {
        return None;
    }
    TASK.set(0);
    // A task that went on after its panic has caught the panic.
    LAST.take().filter(|panic| panic.poll == threads::poll_of(task))
}

/// The panics of one runtime's tasks, by spawn line and place.
#[derive(Default)]
pub(crate) struct Panics(Mutex<VecDeque<Kind>>);

struct Kind {
    spawned_at: Site,
    panic: Panic,
    generation: u64,
    count: usize,
}

impl Panics {
    pub(crate) fn add(&self, panic: Panic, spawned_at: Site, generation: u64) {
        let mut kinds = lock(&self.0);
        let same = |kind: &&mut Kind| {
            std::ptr::eq(kind.spawned_at, spawned_at)
                && kind.panic.location == panic.location
                && kind.generation == generation
        };
        if let Some(kind) = kinds.iter_mut().find(same) {
            kind.count += 1;
            return;
        }
        if kinds.len() == KINDS_MAX {
            kinds.pop_front();
        }
        kinds.push_back(Kind { spawned_at, panic, generation, count: 1 });
    }

    /// The panics since a generation began, by their lines: which came first is chance.
    pub(crate) fn since(&self, generation: u64) -> Vec<Panicked> {
        let mut all = Vec::<Panicked>::new();
        for Kind { spawned_at: site, panic, count, .. } in
            lock(&self.0).iter().filter(|kind| kind.generation >= generation)
        {
            let spawned_at = format!("{}:{}:{}", shorten(site.file()), site.line(), site.column());
            let same = |known: &&mut Panicked| known.spawned_at == spawned_at && known.panicked_at == panic.location;
            match all.iter_mut().find(same) {
                Some(known) => known.count += count,
                None => all.push(Panicked {
                    spawned_at,
                    panicked_at: panic.location.clone(),
                    message: panic.message.clone(),
                    count: *count,
                }),
            }
        }
        all.sort_by(|a, b| (&a.spawned_at, &a.panicked_at).cmp(&(&b.spawned_at, &b.panicked_at)));
        all
    }
}
