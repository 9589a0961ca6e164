//! When a runtime's next timer fires, as the kernel knows it.
//!
//! The thread that holds the runtime's driver waits in `epoll_wait`, for as long as it is to the next timer, or without a limit if
//! no timer is pending. Tokio sorts far timers roughly and looks again later: so the limit is never too long, and up to 4 s
//! too short for a timer that is minutes away, and minutes for one that is hours away.

use std::{
    fs,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{self, Sleep},
};

use crate::{registry::Registry, threads::Threads};

/// How often and how long a thread looks for the driver's wait.
const LOOK: Duration = Duration::from_micros(100);
const LOOK_MAX: Duration = Duration::from_millis(500);
/// Threads that have worked for this long meanwhile are not about to rest.
const WORK_MAX: Duration = Duration::from_millis(10);
/// Looks in a row at which all threads wait, and none for the driver's events: nobody holds the driver.
const AWAY_MAX: usize = 3;
/// A timer of the checker's own, short enough to be the next one.
const NUDGE: Duration = Duration::from_millis(1);

/// What is known of a runtime's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextTimer {
    /// No timer is pending.
    None,
    /// A timer is pending, and none fires before this time has passed.
    In(Duration),
    /// The driver is not at rest, or the system does not tell.
    Unknown,
}

/// Looks on a thread that is not one of the runtime's. The clock must run: a paused runtime that waits for the other thread is idle,
/// and would jump to the next timer.
pub(crate) async fn look(registry: Arc<Registry>, handle: Handle) -> NextTimer {
    let (sender, answer) = oneshot::channel();
    // A check that is cancelled has dropped the receiver.
    let look = move || {
        let _ = sender.send(next_timer(&registry.threads, &handle));
    };
    // Without the thread, the sender is dropped.
    drop(thread::Builder::new().name("leakcheck-timers".into()).spawn(look));
    answer.await.unwrap_or(NextTimer::Unknown)
}

/// Looks. The calling thread must not be one of the runtime's.
pub(crate) fn next_timer(threads: &Threads, handle: &Handle) -> NextTimer {
    match driver_wait(threads, || true) {
        Some(None) => return NextTimer::None,
        Some(Some(_)) => {}
        None => return NextTimer::Unknown,
    }
    // The limit is the one with which the wait began, and nobody knows when that was. A short timer ends the wait. That the
    // runtime has timers at all is known by now.
    let begun = Instant::now();
    let nudge = nudge(handle);
    match driver_wait(threads, || nudge.is_elapsed()) {
        Some(None) => NextTimer::None,
        Some(Some(limit)) => NextTimer::In(limit.saturating_sub(begun.elapsed())),
        None => NextTimer::Unknown,
    }
}

/// A timer that fires soon, and wakes nobody but the driver.
fn nudge(handle: &Handle) -> Pin<Box<Sleep>> {
    let _inside = handle.enter();
    let mut nudge = Box::pin(time::sleep(NUDGE));
    let _pending = nudge.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    nudge
}

/// The limit of the driver's wait, `Some(None)` if it has none. Looks until there is such a wait, once the time has come, and
/// gives up when none can be expected.
fn driver_wait(threads: &Threads, has_come: impl Fn() -> bool) -> Option<Option<Duration>> {
    let (begun, worked, mut away) = (Instant::now(), on_processor(threads), 0);
    loop {
        let ready = has_come();
        let waits: Vec<_> = threads.numbers().into_iter().filter_map(wait_of).collect();
        let limits = || waits.iter().filter_map(|wait| if let Wait::Epoll(limit) = wait { Some(*limit) } else { None });
        match (limits().next(), limits().count()) {
            // A wait of no length is a glance between two polls.
            (Some(limit), 1) if ready && limit != Some(Duration::ZERO) => return Some(limit),
            // One of them is not the driver's.
            (Some(_), 2..) => return None,
            (None, _) if waits.iter().all(|wait| *wait == Wait::Away) => away += 1,
            _ => away = 0,
        }
        let works = on_processor(threads).saturating_sub(worked) >= WORK_MAX;
        if away >= AWAY_MAX || works || begun.elapsed() >= LOOK_MAX {
            return None;
        }
        thread::sleep(LOOK);
    }
}

/// How long the threads have been on a processor: the first number of `schedstat`, in nanoseconds. Unlike wall time it tells a
/// thread that works from one that wants to.
fn on_processor(threads: &Threads) -> Duration {
    let of = |thread| {
        let line = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        Some(Duration::from_nanos(line.split_whitespace().next()?.parse().ok()?))
    };
    threads.numbers().into_iter().filter_map(of).sum()
}

/// What a thread does in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// It waits for sockets; `None` is without a limit.
    Epoll(Option<Duration>),
    /// It waits for something else.
    Away,
    /// It is on a processor, or wants to be.
    Working,
}

/// `None` for a thread that has ended, and where the system does not tell.
fn wait_of(thread: u32) -> Option<Wait> {
    parse(&fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?)
}

/// Reads the call's number and its fourth argument, in hexadecimal: milliseconds, negative for no limit.
fn parse(line: &str) -> Option<Wait> {
    let mut words = line.split_whitespace();
    let call = match words.next()? {
        "running" => return Some(Wait::Working),
        call => call.parse::<i64>().ok()?,
    };
    if !EPOLL.contains(&call) {
        return Some(Wait::Away);
    }
    let limit = u64::from_str_radix(words.nth(3)?.trim_start_matches("0x"), 16).ok()?;
    // The argument is an `int`: the upper half of the register says nothing.
    let limit = (limit & u64::from(u32::MAX)) as u32;
    Some(Wait::Epoll(i32::try_from(limit).ok().map(|ms| Duration::from_millis(ms.unsigned_abs().into()))))
}

/// `epoll_wait` and `epoll_pwait`, from the kernel's `syscall_64.tbl` and its generic table.
const EPOLL: &[i64] = if cfg!(target_arch = "x86_64") {
    &[232, 281]
} else if cfg!(target_arch = "aarch64") {
    &[22]
} else {
    &[]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_kernels_line_tells_the_limit() {
        let epoll = |ms: Option<u64>| Some(Wait::Epoll(ms.map(Duration::from_millis)));
        for (line, wait) in [
            ("232 0x3 0x55fa790a2da0 0x400 0xb4b 0x0 0x1 0x7fd0 0x7fd1", epoll(Some(0xb4b))),
            ("232 0x3 0x55fa790a2da0 0x400 0xffffffff 0x0 0x1 0x7fd0 0x7fd1", epoll(None)),
            ("281 0x3 0x55fa790a2da0 0x400 0xffffffffffffffff 0x0 0x1 0x7fd0 0x7fd1", epoll(None)),
            ("202 0x7fd062697658 0x80 0x1 0x0 0x3b9aca00 0x7fd0 0x7fd0 0x7fd1", Some(Wait::Away)),
            ("running", Some(Wait::Working)),
            ("", None),
        ] {
            assert_eq!(parse(line), wait, "{line:?}");
        }
    }
}
