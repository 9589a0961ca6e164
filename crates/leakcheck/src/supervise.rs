//! The caller's side of a check: messages from the body's thread, and what to do when none come.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    body::BodyControl,
    dump::{self, DUMP_MAX},
    limits::Limits,
    overdue::{Doing, Overdue},
    pool::idle,
    probe::{self, Activity, STRETCH_MAX, Stopwatch},
    report::{Body, BodyError, Report},
    subject::Subject,
    tally::{PollTracker, STUCK_MIN},
    threads::Poll,
    timers::next_timer,
};

/// How long the caller waits, after the verdict, for the end of the checked runtime.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);
/// How often the caller looks at a body's thread that sends nothing.
const LOOK: Duration = Duration::from_millis(20);
/// A thread that waits within one poll at this many looks in a row is blocked.
const LOOKS_OF_BLOCKED: u32 = 5;
/// How much longer the caller waits for the verdict than the body's thread waits for the tasks.
const LATE: Duration = Duration::from_millis(300);
/// How long the caller waits for an overdue verdict if no poll is stuck.
const OVERDUE_MAX: Duration = Duration::from_secs(5);
/// How much longer two looks may be apart than they have to be, on a machine that is short of processor time.
const LOOKS_MAX: Duration = Duration::from_secs(1);
/// A body that is polled this often between two looks goes on.
const POLLS_OF_GOING_ON: u64 = 2;

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
    body: &BodyControl,
    await_lines: bool,
) -> (Report, Result<T, BodyError>) {
    let Ok(Message::Started(subject)) = messages.recv() else {
        panic!("the body's thread could not build a runtime");
    };
    let begun = Instant::now();
    let Ok(Message::BodyEnded(value)) = messages.recv_timeout(deadline) else {
        let mut report = overdue_report(&subject, body, begun, deadline);
        if await_lines {
            report = overdue_lines(&subject, body, report);
        }
        body.cancel();
        return (report, Err(BodyError::Overdue));
    };
    let ended = if value.is_ok() { Body::Returned } else { Body::Panicked };
    let Some(report) = await_verdict(messages, &subject, limits) else {
        let mut report = report_from_outside(&subject, ended);
        if await_lines {
            report.no_await_lines = dump::refusal(&report, true).map(str::to_owned);
        }
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
    let mut poll = PollInProgress::default();
    loop {
        match messages.recv_timeout(LOOK) {
            Ok(Message::Verdict(report)) => return Some(report),
            Ok(Message::VerdictBeforeDump(report)) => return Some(await_dump(messages, report)),
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                // Started here and not before the loop, because most verdicts come at once.
                let watch = watch.get_or_insert_with(Stopwatch::start);
                let blocked = subject.is_current_thread() && poll.blocks(subject, limits);
                if blocked || watch.wall() > limits.most() * STRETCH_MAX + OVERDUE_MAX {
                    return None;
                }
            }
        }
    }
}

/// A poll that was in progress at each look, and how it looked.
#[derive(Default)]
struct PollInProgress {
    polls: Vec<Poll>,
    /// Since the poll was seen for the second time: a look at all threads' delays for each short poll would be a waste.
    watch: Option<Stopwatch>,
    /// At how many looks in a row the thread waited in the kernel, within the poll.
    waited: u32,
}

impl PollInProgress {
    /// Whether the poll blocks its thread: it waits for long, or works for very long. On a machine that is short of processor
    /// time a short poll lasts long, and may wait for a lock whose holder has no processor; so one look says nothing.
    fn blocks(&mut self, subject: &Subject, limits: Limits) -> bool {
        let threads = &subject.registry.threads;
        let now = threads.polling();
        if now.is_empty() || now != self.polls {
            *self = Self { polls: now, ..Self::default() };
            return false;
        }
        let watch = self.watch.get_or_insert_with(Stopwatch::start);
        let left = (limits.active + LATE).saturating_sub(watch.wall());
        let waits = probe::look(threads, idle(&subject.handle), left) == Activity::Waiting;
        // Only if the poll still goes on, what was seen was part of the poll.
        self.waited = if waits && threads.polling() == self.polls { self.waited + 1 } else { 0 };
        let undelayed = watch.undelayed();
        self.waited >= LOOKS_OF_BLOCKED && undelayed >= limits.wall || undelayed >= limits.active + LATE
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
        _ => dump::without_answer(before),
    }
}

/// Reports without the body's thread.
fn report_from_outside(subject: &Subject, body: Body) -> Report {
    let polls = two_looks(subject);
    subject.report(Some(&polls), body)
}

/// Two looks, with a wait between them, tell parked tasks from live ones. Time for which the system lets a thread wait for a
/// processor does not count, so that it does not make a stuck poll of a short one.
fn two_looks(subject: &Subject) -> PollTracker {
    let mut polls = subject.track_polls();
    let watch = Stopwatch::start();
    while watch.wall() < STUCK_MIN + LOOK || watch.undelayed() < STUCK_MIN && watch.wall() < LOOKS_MAX {
        thread::sleep(LOOK);
    }
    polls.update();
    polls.set_timers(next_timer(&subject.registry.threads, &subject.handle), false);
    polls
}

/// What the body does and what is alive, at the deadline.
fn overdue_report(subject: &Subject, body: &BodyControl, begun: Instant, deadline: Duration) -> Report {
    let before = body.polls();
    let polls = two_looks(subject);
    let after = body.polls();
    let new = after.count - before.count;
    let doing = if before.in_progress && after.in_progress && new == 0 {
        Doing::Blocks
    } else if new >= POLLS_OF_GOING_ON {
        Doing::GoesOn
    } else if subject.is_current_thread() && polls.has_stuck() {
        Doing::Starves
    } else {
        Doing::Waits
    };
    let last_poll = after.last.saturating_duration_since(begun);
    let in_poll = if after.in_progress { after.last.elapsed() } else { Duration::ZERO };
    let overdue = Overdue { deadline, doing, polls: after.count, last_poll, in_poll };
    subject.report(Some(&polls), Body::Overdue(overdue))
}

/// The report with the lines that the body and its tasks await, or with the reason why there are none.
fn overdue_lines(subject: &Subject, body: &BodyControl, report: Report) -> Report {
    let blocks = matches!(report.body, Body::Overdue(overdue) if overdue.doing == Doing::Blocks);
    if let Some(why) = dump::refusal(&report, subject.is_current_thread()) {
        return Report { no_await_lines: Some(why.to_owned()), ..report };
    }
    let lines = match blocks {
        true => dump::from_outside(subject.handle.clone(), subject.registry.clone()),
        false => body.trace(),
    };
    dump::await_lines(&lines, report)
}
