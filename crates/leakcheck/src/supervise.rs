//! The caller's side of a check: messages from the body's thread, and what to do when none come.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    lock::lock,
    probe::{self, Activity, STRETCH_MAX, Stopwatch},
    report::{Body, BodyError, Report},
    settle::{Limits, Subject, idle},
    tally::STUCK_MIN,
};

/// How long the caller waits, after the verdict, for the end of the checked runtime.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);
/// How often the caller looks at a body's thread that sends nothing.
const LOOK: Duration = Duration::from_millis(20);
/// How much longer the caller waits for the verdict than the body's thread waits for the tasks.
const LATE: Duration = Duration::from_millis(300);
/// How long the caller waits for an overdue verdict if no poll is stuck.
const OVERDUE_MAX: Duration = Duration::from_secs(5);
/// How long a task dump may take.
const DUMP_MAX: Duration = Duration::from_secs(2);

/// What the body's thread sends, in this order.
pub(crate) enum Message<T> {
    /// The runtime is built, and the body begins.
    Started(Subject),
    /// The body has ended.
    BodyEnded(Result<T, BodyError>),
    /// The verdict, if a task dump is taken next; `Verdict` with the dump's lines follows if the dump comes back.
    VerdictBeforeDump(Report),
    /// The verdict.
    Verdict(Report),
}

/// Waits for the body and for the verdict, within the limits.
pub(crate) fn supervise<T>(
    messages: &Receiver<Message<T>>,
    deadline: Duration,
    limits: Limits,
    cancel: &CancelSignal,
) -> (Report, Result<T, BodyError>) {
    let Ok(Message::Started(subject)) = messages.recv() else {
        panic!("the body's thread could not build a runtime");
    };
    let Ok(Message::BodyEnded(value)) = messages.recv_timeout(deadline) else {
        let report = report_from_outside(&subject, Body::NeverReturned);
        cancel.cancel();
        return (report, Err(BodyError::NeverReturned));
    };
    let ended = if value.is_ok() { Body::Returned } else { Body::Panicked };
    let Some(report) = await_verdict(messages, &subject, limits) else {
        let report = report_from_outside(&subject, ended);
        // The thread may have come free in the meantime: then its own verdict holds, and its runtime is gone.
        return (overdue_verdict(messages).unwrap_or(report), value);
    };
    // The runtime's end is part of the test: its sockets and files are closed when the next test begins.
    let _ = messages.recv_timeout(SHUTDOWN_MAX);
    (report, value)
}

/// `None` if there will be no verdict, because a task blocks the thread that has to send it.
fn await_verdict<T>(messages: &Receiver<Message<T>>, subject: &Subject, limits: Limits) -> Option<Report> {
    let mut watch = None;
    let mut polling = (subject.registry.threads.polling(), Instant::now());
    loop {
        match messages.recv_timeout(LOOK) {
            Ok(Message::Verdict(report)) => return Some(report),
            Ok(Message::VerdictBeforeDump(report)) => return Some(await_dump(messages, report)),
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                // Started here and not before the loop, because most verdicts come at once.
                let watch = watch.get_or_insert_with(Stopwatch::start);
                let now = subject.registry.threads.polling();
                if now != polling.0 {
                    polling = (now, Instant::now());
                }
                let stuck = !polling.0.is_empty() && polling.1.elapsed() >= limits.wall;
                let left = (limits.active + LATE).saturating_sub(watch.undelayed());
                let waits = || probe::look(&subject.registry.threads, idle(&subject.handle), left) == Activity::Waiting;
                let blocked = subject.is_current_thread() && stuck && (left.is_zero() || waits());
                if blocked || watch.wall() > limits.most() * STRETCH_MAX + OVERDUE_MAX {
                    return None;
                }
            }
        }
    }
}

fn overdue_verdict<T>(messages: &Receiver<Message<T>>) -> Option<Report> {
    match messages.try_recv() {
        Ok(Message::Verdict(report) | Message::VerdictBeforeDump(report)) => Some(report),
        _ => None,
    }
}

/// The verdict with the lines of its dump, or without them if the dump does not come back.
fn await_dump<T>(messages: &Receiver<Message<T>>, before: Report) -> Report {
    match messages.recv_timeout(DUMP_MAX) {
        Ok(Message::Verdict(report)) => report,
        _ => {
            let why = format!("the task dump did not come back within {} s", DUMP_MAX.as_secs());
            Report { no_await_lines: Some(why), ..before }
        }
    }
}

/// Reports without the body's thread. Two looks, with a wait between them, tell parked tasks from live ones.
fn report_from_outside(subject: &Subject, body: Body) -> Report {
    let polls = subject.track_polls();
    thread::sleep(STUCK_MIN + LOOK);
    subject.report(Some(&polls), body)
}

/// Lets the caller cancel a body that is parked. The body's future is then dropped on its own thread.
#[derive(Clone, Default)]
pub(crate) struct CancelSignal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl CancelSignal {
    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let waker = lock(&self.0.waker).take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// The body's value, or `None` if the signal came first.
    pub(crate) async fn run_until_cancelled<T>(&self, body: impl Future<Output = T>) -> Option<T> {
        let mut body = std::pin::pin!(body);
        let mut registered = false;
        poll_fn(|cx| {
            if !registered {
                // Once is enough: one `block_on` polls the body, and its waker stays the same.
                *lock(&self.0.waker) = Some(cx.waker().clone());
                registered = true;
            }
            if self.0.cancelled.load(Ordering::SeqCst) {
                return Poll::Ready(None);
            }
            body.as_mut().poll(cx).map(Some)
        })
        .await
    }
}
