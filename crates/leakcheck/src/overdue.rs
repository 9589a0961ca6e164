//! A body that had not returned by the deadline: what it was doing then. Plain data and its words.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

/// A body that had not returned by the deadline, as two looks at the deadline found it.
///
/// Guarantee: a body that keeps its thread is told from one that awaits, and from one that would go on if a task gave it the
/// thread. Gap: why the body waits is not known; await lines are for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overdue {
    /// The limit that the body ran into.
    pub deadline: Duration,
    /// What the body was doing.
    pub doing: Doing,
    /// How often the body was polled.
    pub polls: u64,
    /// When the last of these polls began, counted from the begin of the body.
    pub last_poll: Duration,
    /// For how long the body had been inside that poll, if it was; 0 otherwise.
    pub in_poll: Duration,
}

/// What an overdue body was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// The body was inside one and the same poll at both looks: it blocks its thread, or computes there. On a
    /// `current_thread` runtime no task can run meanwhile, and no timer fires.
    Blocks,
    /// The body was not polled between the looks: it awaits something.
    Waits,
    /// The body was polled again and again between the looks: it is slow, or goes round in a loop.
    GoesOn,
    /// A task that never yields keeps the thread that the body needs.
    Starves,
}

impl Overdue {
    /// The word for machines.
    pub(crate) fn word(&self) -> &'static str {
        match self.doing {
            Doing::Blocks => "blocks",
            Doing::Waits => "waits",
            Doing::GoesOn => "goes on",
            Doing::Starves => "starves",
        }
    }

    /// The first line of the report, without what is left.
    pub(crate) fn head(&self) -> String {
        format!("the test's body had not returned after {} (`deadline` gives more)", exact(self.deadline))
    }
}

/// What the body was doing, as a sentence without a full stop.
impl Display for Overdue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let last = match self.last_poll.as_secs() {
            0 => "all in its first second".to_owned(),
            seconds => format!("last after {seconds} s"),
        };
        let polled = match self.polls {
            0 => "it was never polled".to_owned(),
            1 => "it was polled once".to_owned(),
            polls => format!("it was polled {polls} times, {last}"),
        };
        match self.doing {
            Doing::Blocks if self.polls == 0 => write!(f, "the closure that makes the body blocks its thread"),
            Doing::Blocks => {
                write!(f, "the body blocks its thread: it has been in one poll for {}", rough(self.in_poll))
            }
            Doing::Waits => write!(f, "the body waits: {polled}"),
            Doing::GoesOn => write!(f, "the body goes on: {polled}"),
            Doing::Starves => write!(f, "a task that never yields keeps the body's thread: {polled}"),
        }
    }
}

/// A limit as somebody wrote it: whole seconds or minutes as such, all else in milliseconds.
fn exact(limit: Duration) -> String {
    match limit.as_millis() {
        ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        ms => format!("{ms} ms"),
    }
}

/// Whole seconds, so that the text is the same on a fast and on a slow machine.
pub(crate) fn rough(time: Duration) -> String {
    match time.as_secs() {
        0 => "under 1 s".to_owned(),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_said_as_it_was_written() {
        for (limit, said) in [(Duration::from_secs(30), "30 s"), (Duration::from_millis(1_500), "1500 ms")] {
            assert_eq!(exact(limit), said);
        }
    }

    #[test]
    fn each_body_has_its_sentence() {
        let said = |doing, polls, last| {
            let (deadline, last_poll) = (Duration::from_secs(30), Duration::from_secs(last));
            Overdue { deadline, doing, polls, last_poll, in_poll: deadline - last_poll }.to_string()
        };
        for (text, sentence) in [
            (said(Doing::Blocks, 0, 0), "the closure that makes the body blocks its thread"),
            (said(Doing::Blocks, 7, 1), "the body blocks its thread: it has been in one poll for 29 s"),
            (said(Doing::Waits, 1, 0), "the body waits: it was polled once"),
            (said(Doing::Waits, 7, 2), "the body waits: it was polled 7 times, last after 2 s"),
            (said(Doing::GoesOn, 9, 30), "the body goes on: it was polled 9 times, last after 30 s"),
            (
                said(Doing::Starves, 2, 0),
                "a task that never yields keeps the body's thread: it was polled 2 times, all in its first second",
            ),
        ] {
            assert_eq!(text, sentence);
        }
    }
}
