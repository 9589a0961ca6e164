//! Makes the timer of its end anew in each round of a loop.
//!
//! A tunnel keeps a session for a while after it has ended, to answer packets that come late.
//!
//! Run it: `cargo run --bin late-count-leak`
//!
//! You will see as many tasks as in the control for half a second, and then one more for every session.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{interval, sleep};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let tunnel = Arc::new(Tunnel::default());
        stage.load(async |n| tunnel.serve(n)).await;
        Ok(tunnel)
    })
}

// ANCHOR: service
/// Packets of a session that has ended may come so late.
const LINGER: Duration = Duration::from_millis(500);
/// A session reports so often, also while it lingers.
const REPORT: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Tunnel {
    reports: AtomicU64,
}

impl Tunnel {
    /// The session is over for its user, and lingers.
    fn end(self: &Arc<Self>, session: u64) {
        tokio::spawn(self.clone().linger(session));
    }

    async fn linger(self: Arc<Self>, session: u64) {
        let mut report = interval(REPORT);
        loop {
            tokio::select! {
                // LEAK: made anew after each report, so never over.
                () = sleep(LINGER) => return,
                _ = report.tick() => self.report(session),
            }
        }
    }

    /// A real tunnel sends the session's counters here.
    fn report(&self, _session: u64) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }
}
// ANCHOR_END: service

impl Tunnel {
    fn serve(self: &Arc<Self>, number: u64) -> anyhow::Result<()> {
        self.end(number);
        Ok(())
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    const SESSIONS: u64 = 12;
    const LEAKS: bool = true;

    /// A tunnel after so many sessions.
    async fn after(sessions: u64) -> Arc<Tunnel> {
        let tunnel = Arc::new(Tunnel::default());
        (0..sessions)
            .for_each(|number| tunnel.serve(number).unwrap());
        tunnel
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn sessions_linger_and_end() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let report =
                checker.clone().find(|| after(4 * SESSIONS)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(SESSIONS).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
