//! The caller's side of a check: news from the body's thread, and what to do when there are none.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    checker::BodyError,
    probe::{self, Outlook, STRETCH_MAX, Stopwatch},
    report::{Body, Report},
    settle::{Limits, STUCK_MIN, Subject, idle},
};

/// How long the caller waits for the checked runtime to be gone after the verdict.
const GONE_MAX: Duration = Duration::from_secs(1);
/// How often the caller looks at a body's thread that says nothing.
const LOOK: Duration = Duration::from_millis(20);
/// How much later than the body's thread the caller loses its patience.
const LATE: Duration = Duration::from_millis(300);
/// How long the caller believes in a verdict that is overdue although no poll is stuck.
const OVERDUE_MAX: Duration = Duration::from_secs(5);
/// How long a task dump may take.
const DUMP_MAX: Duration = Duration::from_secs(2);

/// What the body's thread tells, in this order.
pub(crate) enum News<T> {
    /// The runtime runs.
    Begun(Subject),
    /// The body has ended.
    Body(Result<T, BodyError>),
    /// The verdict, to which a dump may still be added.
    Draft(Report),
    /// The verdict.
    Verdict(Report),
}

/// Waits for the body and for the verdict, within the limits.
pub(crate) fn supervise<T>(
    hear: &Receiver<News<T>>,
    deadline: Duration,
    limits: Limits,
    abandon: &Abandon,
) -> (Report, Result<T, BodyError>) {
    let Ok(News::Begun(subject)) = hear.recv() else {
        panic!("the body's thread could not build a runtime");
    };
    let Ok(News::Body(value)) = hear.recv_timeout(deadline) else {
        let report = look_from_outside(&subject, Body::NeverReturned);
        abandon.now();
        return (report, Err(BodyError::NeverReturned));
    };
    let ended = if value.is_ok() { Body::Returned } else { Body::Panicked };
    let Some(report) = await_verdict(hear, &subject, limits) else {
        let report = look_from_outside(&subject, ended);
        // The thread may have come free in this very moment: then its own verdict holds, and its runtime is gone.
        return (overdue_verdict(hear).unwrap_or(report), value);
    };
    // The runtime's end is part of the test: its sockets and files are closed when the next test begins.
    let _ = hear.recv_timeout(GONE_MAX);
    (report, value)
}

/// `None` if there will be no verdict: a task keeps the thread that would have to settle.
fn await_verdict<T>(hear: &Receiver<News<T>>, subject: &Subject, limits: Limits) -> Option<Report> {
    let mut watch = None;
    let mut polling = (subject.registry.threads.polling(), Instant::now());
    loop {
        match hear.recv_timeout(LOOK) {
            Ok(News::Verdict(report)) => return Some(report),
            Ok(News::Draft(report)) => return Some(await_dump(hear, report)),
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                // Not before: most verdicts are there at once.
                let watch = watch.get_or_insert_with(Stopwatch::start);
                let now = subject.registry.threads.polling();
                if now != polling.0 {
                    polling = (now, Instant::now());
                }
                let stuck = !polling.0.is_empty() && polling.1.elapsed() >= limits.wall;
                let left = (limits.patience + LATE).saturating_sub(watch.fair());
                let still =
                    || probe::look_now(&subject.registry.threads, idle(&subject.handle), left) == Outlook::Still;
                let alone = subject.is_current_thread() && stuck && (left.is_zero() || still());
                if alone || watch.wall() > limits.wall.max(limits.patience) * STRETCH_MAX + OVERDUE_MAX {
                    return None;
                }
            }
        }
    }
}

fn overdue_verdict<T>(hear: &Receiver<News<T>>) -> Option<Report> {
    match hear.try_recv() {
        Ok(News::Verdict(report) | News::Draft(report)) => Some(report),
        _ => None,
    }
}

/// The verdict with its dump, or as it was if the dump does not come back.
fn await_dump<T>(hear: &Receiver<News<T>>, draft: Report) -> Report {
    match hear.recv_timeout(DUMP_MAX) {
        Ok(News::Verdict(report)) => report,
        _ => {
            let why = format!("the task dump did not come back within {} s", DUMP_MAX.as_secs());
            Report { no_await_lines: Some(why), ..draft }
        }
    }
}

/// Reports without the body's thread. The two looks tell parked tasks from live ones.
fn look_from_outside(subject: &Subject, body: Body) -> Report {
    let seen = subject.begin_to_look();
    thread::sleep(STUCK_MIN + LOOK);
    subject.report(Some(&seen), body)
}

/// Lets the caller end a body that is parked: what it holds is dropped on its own thread.
#[derive(Clone, Default)]
pub(crate) struct Abandon(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Abandon {
    pub(crate) fn now(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        let waker = self.0.1.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// The body's value, or `None` if it was abandoned first.
    pub(crate) async fn unless<T>(&self, body: impl Future<Output = T>) -> Option<T> {
        let mut body = std::pin::pin!(body);
        let mut known = false;
        poll_fn(|cx| {
            if !known {
                // The body is polled by one `block_on`, whose waker stays the same.
                *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
                known = true;
            }
            if self.0.0.load(Ordering::SeqCst) {
                return Poll::Ready(None);
            }
            body.as_mut().poll(cx).map(Some)
        })
        .await
    }
}
