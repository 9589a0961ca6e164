//! The lines that left tasks and an overdue body await, from a task dump of a runtime that nobody needs any more.
//!
//! A dump polls every idle task once more. At tokio 1.54.1 it can hang or panic, and so can the drop of the runtime afterwards.
//! A dump is therefore the last thing that happens to a runtime, the caller waits for the dump no longer than stated, and the
//! runtime is never dropped.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use tokio::runtime::{Builder, Handle};

use crate::{
    overdue::Doing,
    own::OwnRuntime,
    registry::Registry,
    report::{Body, Report},
};

mod lines;
#[cfg_attr(
    not(all(
        tokio_unstable,
        feature = "await-lines",
        target_os = "linux",
        any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64", target_arch = "s390x")
    )),
    path = "dump/absent.rs"
)]
mod traces;

pub(crate) use self::lines::Lines;
use self::traces::MISSING;
pub(crate) use self::traces::{body_lines, rooted, task_lines};

/// How long a task dump may take.
pub(crate) const DUMP_MAX: Duration = Duration::from_secs(2);

/// Why a dump of what is left would give nothing, if that is known before. `one_thread` says that the runtime's tasks share
/// one thread with the dump.
pub(crate) fn refusal(report: &Report, one_thread: bool) -> Option<&'static str> {
    let body = match report.body {
        Body::Overdue(overdue) => Some(overdue.doing),
        _ => None,
    };
    let awaits_nothing = report.tasks() == 0 && body.is_none_or(|doing| doing == Doing::Blocks);
    let never_yields = report.survivors.iter().any(|group| group.never_yields > 0);
    match MISSING {
        Some(why) => Some(why),
        None if awaits_nothing && body.is_some() => Some("no task is left, and a body that blocks awaits nothing"),
        None if awaits_nothing => Some("no task is left, and a closure of the blocking pool awaits nothing"),
        None if one_thread && body == Some(Doing::Blocks) => Some("a task dump needs the thread that the body blocks"),
        None if one_thread && never_yields => Some("a task dump needs the thread of the task that never yields"),
        None => None,
    }
}

/// The report with await lines, or with the reason why there are none. The runtime is given up.
pub(crate) fn with_await_lines(runtime: OwnRuntime, registry: &Registry, report: Report) -> Report {
    let handle = runtime.handle().clone();
    let lines = runtime.block_on(task_lines(&handle, registry));
    // Not `shutdown_background`: that drops the tasks, which is what can hang.
    std::mem::forget(runtime);
    lines.added_to(report)
}

/// Takes a dump of a `multi_thread` runtime whose body blocks. Nothing comes if the dump hangs.
pub(crate) fn from_outside(handle: Handle, registry: Arc<Registry>) -> Receiver<Lines> {
    let (sender, lines) = channel();
    // The thread stays for as long as the dump does not come back. Without it the channel closes, which is an answer too.
    let take = move || {
        if let Ok(own) = Builder::new_current_thread().build() {
            drop(sender.send(own.block_on(task_lines(&handle, &registry))));
        }
    };
    drop(thread::Builder::new().name("leakcheck-dump".into()).spawn(take));
    lines
}

/// Adds what comes within the limit.
pub(crate) fn await_lines(lines: &Receiver<Lines>, report: Report) -> Report {
    match lines.recv_timeout(DUMP_MAX) {
        Ok(lines) => lines.added_to(report),
        Err(_) => without_answer(report),
    }
}

/// The report of a dump that did not come back.
pub(crate) fn without_answer(report: Report) -> Report {
    let why = match report.survivors.iter().any(|group| group.never_yields > 0) {
        true => ": it waits for every worker, and a task never yields",
        false => "",
    };
    let why = format!("the task dump did not come back within {} s{why}", DUMP_MAX.as_secs());
    Report { no_await_lines: Some(why), ..report }
}
