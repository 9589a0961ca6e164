//! Whether a runtime's threads will wake by themselves.
//!
//! The hooks cannot tell a task that sleeps from a task that waits for ever. The runtime's threads differ: while a timer is
//! pending, the worker that holds the driver waits with a time limit. Linux tells the limit in
//! `/proc/self/task/<thread>/syscall`.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    time::{Duration, Instant},
};

use crate::threads::{self, Threads};

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

/// Looks once. The calling thread must not be one of those looked at.
pub(crate) fn look(threads: &Threads, idle: usize, within: Duration) -> Activity {
    let waits: Vec<_> = threads.numbers().iter().filter_map(|number| wait_of(*number)).collect();
    if waits.is_empty() || waits.contains(&Wait::Unknown) {
        return Activity::Unknown;
    }
    let wakes = waits.iter().filter(|wait| match wait {
        Wait::Timed(left) => left.is_none_or(|left| left <= within),
        Wait::Driver(left) => left.is_some_and(|left| left <= within),
        _ => false,
    });
    let works = waits.iter().any(|wait| matches!(wait, Wait::Working | Wait::Called));
    if works || wakes.count() > idle { Activity::Active } else { Activity::Waiting }
}

/// Whether every thread of a runtime but the caller's waits in the kernel. A thread whose event has come no longer waits,
/// even if it has had no processor yet.
pub(crate) fn at_rest(threads: &Threads) -> bool {
    let own = threads::own_number();
    let others = threads.numbers().into_iter().filter(|thread| Some(*thread) != own);
    others.filter_map(wait_of).all(|wait| wait != Wait::Working)
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

/// What a thread is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    Working,
    /// In the call that waits for events of descriptors, with the time until the next timer if one is pending.
    Driver(Option<Duration>),
    /// In the kernel with a time limit. The limit itself is known only if it is one of the call's arguments.
    Timed(Option<Duration>),
    /// In the kernel without a time limit, for another thread of this process or for a connection that nobody makes.
    Untimed,
    /// In any other call: it reads, writes, or waits for a child.
    Called,
    Unknown,
}

impl Wait {
    /// Whether the thread may go on without a thread of this process that wakes it.
    pub(crate) fn may_act(self) -> bool {
        !matches!(self, Self::Untimed)
    }
}

/// `None` for a thread that has ended.
pub(crate) fn wait_of(thread: u32) -> Option<Wait> {
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
        Some(Call::Events(place)) => Wait::Driver(limit_in_ms(argument(place))),
        Some(Call::LimitInMs(place)) => {
            limit_in_ms(argument(place)).map_or(Wait::Called, |limit| Wait::Timed(Some(limit)))
        }
        Some(Call::LimitAt(place)) if argument(place) != 0 => Wait::Timed(None),
        Some(Call::LimitAt(_) | Call::Accept) => Wait::Untimed,
        Some(Call::Sleep) => Wait::Timed(None),
        None if call >= 0 => Wait::Called,
        None => Wait::Unknown,
    }
}

/// A limit in milliseconds, as the kernel reads the argument: as 32 bits with a sign, and a negative one is none.
fn limit_in_ms(argument: u64) -> Option<Duration> {
    let ms = u32::try_from(argument).ok().filter(|ms| *ms <= i32::MAX as u32)?;
    Some(Duration::from_millis(ms.into()))
}

/// The waiting calls that Rust's standard library, mio and parking_lot make.
enum Call {
    /// Waits for events of descriptors; the argument at this place is a limit in milliseconds, and a negative one is none.
    Events(usize),
    /// The argument at this place is a limit in milliseconds; a negative one is none.
    LimitInMs(usize),
    /// The argument at this place is the address of a limit; 0 is none.
    LimitAt(usize),
    Sleep,
    /// Waits for a connection.
    Accept,
}

impl Call {
    /// Without the numbers, a call with a limit looks like one without.
    const ARE_KNOWN: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

    /// Numbers from the kernel's `syscall_64.tbl`.
    #[cfg(target_arch = "x86_64")]
    fn of(number: i64) -> Option<Self> {
        Some(match number {
            7 => Self::LimitInMs(2),       // poll
            232 | 281 => Self::Events(3),  // epoll_wait, epoll_pwait
            202 | 441 => Self::LimitAt(3), // futex, epoll_pwait2
            271 => Self::LimitAt(2),       // ppoll
            35 | 230 => Self::Sleep,       // nanosleep, clock_nanosleep
            43 | 288 => Self::Accept,      // accept, accept4
            _ => return None,
        })
    }

    /// Numbers from the kernel's generic table.
    #[cfg(target_arch = "aarch64")]
    fn of(number: i64) -> Option<Self> {
        Some(match number {
            22 => Self::Events(3),        // epoll_pwait
            98 | 441 => Self::LimitAt(3), // futex, epoll_pwait2
            73 => Self::LimitAt(2),       // ppoll
            101 | 115 => Self::Sleep,     // nanosleep, clock_nanosleep
            202 | 242 => Self::Accept,    // accept, accept4
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
    use std::{sync::Arc, thread};

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
        let ms = Duration::from_millis;
        for (line, wait) in [
            ("running", Wait::Working),
            ("232 0x3 0x55fa790a2da0 0x400 0xb4b 0x0 0x1 0x7fd0 0x7fd1", Wait::Driver(Some(ms(0xb4b)))),
            ("232 0x3 0x55fa790a2da0 0x400 0xffffffff 0x0 0x1 0x7fd0 0x7fd1", Wait::Driver(None)),
            ("232 0x3 0x55fa790a2da0 0x400 0xffffffffffffffff 0x0 0x1 0x7fd0 0x7fd1", Wait::Driver(None)),
            ("7 0x7fd062697658 0x1 0x1388 0x0 0x0 0x0 0x7fd0 0x7fd1", Wait::Timed(Some(ms(5_000)))),
            ("7 0x7fd062697658 0x1 0xffffffff 0x0 0x0 0x0 0x7fd0 0x7fd1", Wait::Called),
            ("288 0x3 0x0 0x0 0x80000 0x0 0x0 0x7fd0 0x7fd1", Wait::Untimed),
            ("202 0x7fd062697658 0x80 0x1 0x0 0x3b9aca00 0x7fd0 0x7fd0 0x7fd1", Wait::Untimed),
            ("202 0x7fd062697658 0x80 0x1 0x7fd062697700 0x0 0x7fd0 0x7fd0 0x7fd1", Wait::Timed(None)),
            ("230 0x1 0x0 0x7fd062a97fa8 0x7fd062a97fa8 0x0 0x7fd0 0x7fd0 0x7fd1", Wait::Timed(None)),
            ("0 0x3 0x7f0847119000 0x20000 0x7f08471abb60 0x0 0x0 0x7f 0x7f", Wait::Called),
            ("-1 0x7f 0x7f", Wait::Unknown),
            ("", Wait::Unknown),
        ] {
            assert_eq!(parse(line), wait, "{line:?}");
        }
    }
}
