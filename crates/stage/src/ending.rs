//! Why a load ends before all units were offered, and what ends the program.

use std::{
    fmt::{Display, Formatter},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

/// A program that was told to end, and has not come to its end after this long, exits as it is.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Why a load ended early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reason {
    CtrlC,
    Sigterm,
    /// Standard input was open, and was closed during the run: whoever started the program is gone.
    OwnerGone,
    ConsoleFailed,
    /// The limit, in MiB.
    Memory(u64),
    Time(Duration),
}

impl Reason {
    /// True when somebody ended the run; false when it came to a limit of its own, and can still be judged.
    pub(crate) fn is_interruption(self) -> bool {
        !matches!(self, Self::Memory(_) | Self::Time(_))
    }

    /// What a shell expects: 128 and the signal's number.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Sigterm => 143,
            Self::ConsoleFailed => 2,
            Self::CtrlC | Self::OwnerGone | Self::Memory(_) | Self::Time(_) => 130,
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CtrlC => f.write_str("interrupted by Ctrl-C"),
            Self::Sigterm => f.write_str("interrupted by SIGTERM"),
            Self::OwnerGone => f.write_str("interrupted: standard input was closed"),
            Self::ConsoleFailed => f.write_str("interrupted: the console server failed"),
            Self::Memory(mib) => write!(f, "the memory limit of {mib} MiB was reached"),
            Self::Time(limit) => write!(f, "the time limit of {} s was reached", limit.as_secs_f64()),
        }
    }
}

/// Ends the load, and ends the hold after the report.
#[derive(Default)]
pub(crate) struct Ending {
    reason: OnceLock<Reason>,
    load: CancellationToken,
    interrupted: CancellationToken,
    hold: CancellationToken,
    /// All units have ended: no limit matters any more.
    is_done: AtomicBool,
}

impl Ending {
    /// Ends the load. The first reason stays.
    pub(crate) fn end_load(&self, reason: Reason) {
        if self.is_done.load(Ordering::Acquire) && !reason.is_interruption() {
            return;
        }
        let _ = self.reason.set(reason);
        self.load.cancel();
        if reason.is_interruption() {
            self.interrupted.cancel();
            self.hold.cancel();
        }
    }

    /// The load has ended, by itself or early.
    pub(crate) fn load_is_done(&self) {
        self.is_done.store(true, Ordering::Release);
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.is_cancelled()
    }

    pub(crate) fn load_is_over(&self) -> bool {
        self.load.is_cancelled()
    }

    pub(crate) async fn load_over(&self) {
        self.load.cancelled().await;
    }

    pub(crate) async fn interrupted(&self) {
        self.interrupted.cancelled().await;
    }

    pub(crate) async fn hold_over(&self) {
        self.hold.cancelled().await;
    }

    /// The first Ctrl-C or SIGTERM ends the load and brings the report; the second ends the process.
    pub(crate) async fn watch_signals(&self) {
        self.end_load(signal().await);
        let reason = match tokio::time::timeout(END_LIMIT, signal()).await {
            Ok(second) => second,
            Err(_) => self.reason().unwrap_or(Reason::CtrlC),
        };
        std::process::exit(reason.exit_code().into());
    }

    /// With `--hold`, the end of standard input ends the hold. Where somebody is at its other end, it also ends the load:
    /// a supervisor that dies closes it.
    pub(crate) async fn watch_stdin(&self, hold: bool) {
        if !hold {
            return;
        }
        let (mut stdin, mut rest) = (tokio::io::stdin(), [0; 64]);
        while matches!(stdin.read(&mut rest).await, Ok(n) if n > 0) {}
        if has_owner() {
            self.end_load(Reason::OwnerGone);
        }
        self.hold.cancel();
    }
}

/// True when standard input comes from somebody: a pipe, a socket or a terminal. `/dev/null` and files end by themselves,
/// at once, and say nothing of who started the program.
#[cfg(unix)]
fn has_owner() -> bool {
    use std::{
        fs::File,
        io::{IsTerminal, stdin},
        os::{fd::AsFd, unix::fs::FileTypeExt},
    };
    let kind = stdin().as_fd().try_clone_to_owned().and_then(|copy| Ok(File::from(copy).metadata()?.file_type()));
    stdin().is_terminal() || kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

#[cfg(not(unix))]
fn has_owner() -> bool {
    true
}

#[cfg(unix)]
async fn signal() -> Reason {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! { _ = int.recv() => Reason::CtrlC, _ = term.recv() => Reason::Sigterm }
}

#[cfg(not(unix))]
async fn signal() -> Reason {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Reason::CtrlC,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_ends_the_load_and_not_the_hold() {
        let ending = Ending::default();
        ending.end_load(Reason::Memory(64));
        assert!(ending.load_is_over() && !ending.hold.is_cancelled() && !ending.is_interrupted());
        ending.end_load(Reason::Sigterm);
        assert!(ending.hold.is_cancelled());
        assert_eq!(ending.reason().unwrap().to_string(), "the memory limit of 64 MiB was reached");
    }

    #[test]
    fn a_load_that_is_done_has_no_limit_any_more() {
        let ending = Ending::default();
        ending.load_is_done();
        ending.end_load(Reason::Memory(64));
        assert_eq!(ending.reason(), None);
    }

    #[test]
    fn exit_codes_are_those_of_the_signals() {
        assert_eq!([Reason::CtrlC, Reason::Sigterm].map(Reason::exit_code), [130, 143]);
    }
}
