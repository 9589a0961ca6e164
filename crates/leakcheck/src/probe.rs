//! Whether a runtime's threads will wake by themselves.
//!
//! The hooks cannot tell a task that sleeps from a task that waits for ever. The runtime's threads differ: while a timer is
//! pending, the worker that holds the driver waits with a time limit. Linux tells the limit in
//! `/proc/self/task/<thread>/syscall`.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{lock::lock, registry::Registry, threads::Threads};

/// What the threads of a runtime are about to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Activity {
    /// A thread works, or will wake by itself within the time asked about: tasks may still end.
    Active,
    /// Every thread waits for something from outside.
    Waiting,
    /// The system does not tell.
    Unknown,
}

/// How long the probe's thread waits before a look, so that a runtime with nothing to do has come to rest.
const REST: Duration = Duration::from_millis(2);

/// Looks twice from a thread of its own, since the caller's thread may be one of those looked at. `idle` is the number of idle
/// threads of the blocking pool: each of them waits with a limit, and ends no task when the limit is reached.
pub(crate) async fn look_twice(registry: Arc<Registry>, idle: usize, within: Duration) -> Activity {
    let answer: Arc<Mutex<(Option<Activity>, Option<Waker>)>> = Arc::default();
    let shared = answer.clone();
    let started = thread::Builder::new().name("leakcheck-probe".into()).spawn(move || {
        let mut activity = Activity::Waiting;
        for _ in 0..2 {
            thread::sleep(REST);
            if activity == Activity::Waiting {
                activity = look(&registry.threads, idle, within);
            }
        }
        let mut answer = lock(&shared);
        answer.0 = Some(activity);
        answer.1.take().into_iter().for_each(Waker::wake);
    });
    if started.is_err() {
        return Activity::Unknown;
    }
    poll_fn(|cx| {
        let mut answer = lock(&answer);
        answer.1 = Some(cx.waker().clone());
        answer.0.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Looks once. The calling thread must not be one of those looked at.
pub(crate) fn look(threads: &Threads, idle: usize, within: Duration) -> Activity {
    let waits: Vec<_> = threads.numbers().iter().filter_map(|number| wait_of(*number)).collect();
    if waits.is_empty() || waits.contains(&Wait::Unknown) {
        return Activity::Unknown;
    }
    let wakes = waits.iter().filter(|wait| matches!(wait, Wait::Timed(left) if left.is_none_or(|left| left <= within)));
    if waits.contains(&Wait::Working) || wakes.count() > idle { Activity::Active } else { Activity::Waiting }
}

/// Measures a wait, without the time for which the system let a thread of this process wait for a processor. So a thread
/// that is about to end a task has as much time for it on an overloaded machine as on an idle one.
pub(crate) struct Stopwatch {
    begun: Instant,
    delays: HashMap<OsString, Duration>,
}

/// Delays lengthen a wait to this many times its length at most.
pub(crate) const STRETCH_MAX: u32 = 4;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), delays: delays().collect() }
    }

    /// Wall time, whatever the system did.
    pub(crate) fn wall(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Wall time less the longest that one of the threads waited for a processor.
    pub(crate) fn undelayed(&self) -> Duration {
        let delayed = |(thread, delay): (OsString, Duration)| {
            delay.saturating_sub(self.delays.get(&thread).copied().unwrap_or_default())
        };
        let wall = self.wall();
        wall.saturating_sub(delays().map(delayed).max().unwrap_or_default()).max(wall / STRETCH_MAX)
    }
}

/// How long each thread has waited for a processor in its life: the second number of its `schedstat`, in nanoseconds.
fn delays() -> impl Iterator<Item = (OsString, Duration)> {
    fs::read_dir("/proc/self/task").into_iter().flatten().flatten().filter_map(|thread| {
        let line = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        Some((thread.file_name(), Duration::from_nanos(line.split_whitespace().nth(1)?.parse().ok()?)))
    })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    Working,
    /// In the kernel with a time limit. The limit itself is known only if it is one of the call's arguments.
    Timed(Option<Duration>),
    /// In the kernel without a time limit.
    Untimed,
    Unknown,
}

/// `None` for a thread that has ended.
fn wait_of(thread: u32) -> Option<Wait> {
    match fs::read_to_string(format!("/proc/self/task/{thread}/syscall")) {
        Ok(line) if Call::ARE_KNOWN => Some(parse(&line)),
        Ok(_) => Some(Wait::Unknown),
        Err(_) if fs::exists(format!("/proc/self/task/{thread}")).unwrap_or(false) => Some(Wait::Unknown),
        Err(_) => None,
    }
}

/// Reads the line of a thread. For a thread that waits it has the call's number, six arguments in hexadecimal and two
/// registers.
fn parse(line: &str) -> Wait {
    let mut words = line.split_whitespace();
    let call = match words.next() {
        Some("running") => return Wait::Working,
        Some(word) => word.parse().unwrap_or(-1),
        None => return Wait::Unknown,
    };
    let arguments: Vec<_> =
        words.filter_map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()).collect();
    let argument = |place: usize| arguments.get(place).copied().unwrap_or(0);
    match Call::of(call) {
        Some(Call::LimitInMs(place)) => match u32::try_from(argument(place)) {
            Ok(ms) if ms <= i32::MAX as u32 => Wait::Timed(Some(Duration::from_millis(ms.into()))),
            _ => Wait::Untimed,
        },
        Some(Call::LimitAt(place)) if argument(place) != 0 => Wait::Timed(None),
        Some(Call::LimitAt(_)) => Wait::Untimed,
        Some(Call::Sleep) => Wait::Timed(None),
        None if call >= 0 => Wait::Untimed,
        None => Wait::Unknown,
    }
}

/// The waiting calls that Rust's standard library, mio and parking_lot make.
enum Call {
    /// The argument at this place is a limit in milliseconds; a negative one is none.
    LimitInMs(usize),
    /// The argument at this place is the address of a limit; 0 is none.
    LimitAt(usize),
    Sleep,
}

impl Call {
    /// Without the numbers, a call with a limit looks like one without.
    const ARE_KNOWN: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

    /// Numbers from the kernel's `syscall_64.tbl`.
    #[cfg(target_arch = "x86_64")]
    fn of(number: i64) -> Option<Self> {
        Some(match number {
            7 => Self::LimitInMs(2),         // poll
            232 | 281 => Self::LimitInMs(3), // epoll_wait, epoll_pwait
            202 | 441 => Self::LimitAt(3),   // futex, epoll_pwait2
            271 => Self::LimitAt(2),         // ppoll
            35 | 230 => Self::Sleep,         // nanosleep, clock_nanosleep
            _ => return None,
        })
    }

    /// Numbers from the kernel's generic table.
    #[cfg(target_arch = "aarch64")]
    fn of(number: i64) -> Option<Self> {
        Some(match number {
            22 => Self::LimitInMs(3),     // epoll_pwait
            98 | 441 => Self::LimitAt(3), // futex, epoll_pwait2
            73 => Self::LimitAt(2),       // ppoll
            101 | 115 => Self::Sleep,     // nanosleep, clock_nanosleep
            _ => return None,
        })
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn of(_: i64) -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_for_ever_is_told_from_one_that_waits_a_while() {
        let threads = Arc::new(Threads::default());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let known = threads.clone();
        let (ready, begun) = std::sync::mpsc::channel();
        let parked = thread::spawn(move || {
            known.add_current();
            ready.send(()).unwrap();
            wait.recv().unwrap();
            thread::sleep(Duration::from_millis(300));
        });
        begun.recv().unwrap();
        let see = |wanted| {
            for _ in 0..2_000 {
                if look(&threads, 0, Duration::from_secs(1)) == wanted {
                    return;
                }
                thread::yield_now();
            }
            panic!("never {wanted:?}: {:?}", look(&threads, 0, Duration::from_secs(1)));
        };
        if cfg!(target_os = "linux") {
            see(Activity::Waiting);
            go.send(()).unwrap();
            see(Activity::Active);
        }
        parked.join().unwrap();
        assert_eq!(look(&threads, 0, Duration::ZERO), Activity::Unknown, "no thread is left to look at");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn lines_of_the_kernel_are_read() {
        let ms = |ms| Wait::Timed(Some(Duration::from_millis(ms)));
        for (line, wait) in [
            ("running", Wait::Working),
            ("232 0x3 0x55fa790a2da0 0x400 0xb4b 0x0 0x1 0x7fd0 0x7fd1", ms(0xb4b)),
            ("232 0x3 0x55fa790a2da0 0x400 0xffffffff 0x0 0x1 0x7fd0 0x7fd1", Wait::Untimed),
            ("232 0x3 0x55fa790a2da0 0x400 0xffffffffffffffff 0x0 0x1 0x7fd0 0x7fd1", Wait::Untimed),
            ("202 0x7fd062697658 0x80 0x1 0x0 0x3b9aca00 0x7fd0 0x7fd0 0x7fd1", Wait::Untimed),
            ("202 0x7fd062697658 0x80 0x1 0x7fd062697700 0x0 0x7fd0 0x7fd0 0x7fd1", Wait::Timed(None)),
            ("230 0x1 0x0 0x7fd062a97fa8 0x7fd062a97fa8 0x0 0x7fd0 0x7fd0 0x7fd1", Wait::Timed(None)),
            ("0 0x3 0x7f0847119000 0x20000 0x7f08471abb60 0x0 0x0 0x7f 0x7f", Wait::Untimed),
            ("-1 0x7f 0x7f", Wait::Unknown),
            ("", Wait::Unknown),
        ] {
            assert_eq!(parse(line), wait, "{line:?}");
        }
    }
}
