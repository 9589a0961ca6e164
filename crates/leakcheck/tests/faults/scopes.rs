//! F11: a scope in the middle of a test does not move the clock that the test lives by.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant as StdInstant},
};

use leakcheck::daemon;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, interval, sleep, timeout},
};

use crate::common::{Done, ONE_THREAD, On, REAL_TIME, on};

/// What a scope may let pass on a paused clock.
const SETTLE: Duration = Duration::from_millis(200);
/// Reading two clocks takes a moment.
const MOMENT: Duration = Duration::from_millis(50);

/// The two clocks, begun together.
struct Clocks {
    real: StdInstant,
    tokio: Instant,
}

impl Clocks {
    fn start() -> Self {
        Self { real: StdInstant::now(), tokio: Instant::now() }
    }

    /// Whether tokio's clock has moved no further than a scope's own time ahead of the real one.
    #[track_caller]
    fn assert_together(&self) {
        let (tokio, real) = (self.tokio.elapsed(), self.real.elapsed());
        assert!(tokio <= real + SETTLE + MOMENT, "tokio's clock moved by {tokio:?} in {real:?}");
    }
}

/// Looks while something is left, which then goes.
async fn look_at_a_leak() {
    let scope = leakcheck::scope();
    let stays = tokio::spawn(pending::<()>());
    assert_eq!(scope.find().await.tasks(), 1);
    stays.abort();
    scope.assert().await;
}

#[test]
fn f11_a_look_takes_a_fifth_of_a_second() {
    on(&[On::CurrentThread, On::StartPaused, On::MultiThread]).ends(|| async {
        let begun = Instant::now();
        look_at_a_leak().await;
        assert!(begun.elapsed() < Duration::from_secs(9), "tokio's clock moved by {:?}", begun.elapsed());
        complete()
    });
}

#[test]
fn f11_a_body_with_a_time_limit_gets_the_report() {
    const SPAWN: u32 = line!() + 4;
    on(&[On::CurrentThread, On::StartPaused, On::MultiThread]).scope_finds(&[(SPAWN, 1)], || async {
        let limited = async {
            let scope = leakcheck::scope();
            tokio::spawn(pending::<()>());
            scope.find().await
        };
        timeout(Duration::from_secs(9), limited).await.expect("no nine seconds have passed")
    });
}

/// The body has completed if it came to its end.
fn complete() -> Done {
    let done = Done::default();
    done.set();
    done
}

/// An allowed server forgets a session that is idle for nine seconds.
#[test]
fn a_session_of_a_server_outlives_the_look() {
    on(ONE_THREAD).ends(|| async {
        let (requests, mut inbox) = mpsc::channel::<oneshot::Sender<&'static str>>(1);
        let session = async move {
            while let Ok(Some(reply)) = timeout(Duration::from_secs(9), inbox.recv()).await {
                // Whoever asked may have gone.
                let _ = reply.send("welcome back");
            }
        };
        daemon("server", || tokio::spawn(session));
        look_at_a_leak().await;
        let (reply, replied) = oneshot::channel();
        assert!(requests.send(reply).await.is_ok(), "the session has expired");
        assert_eq!(replied.await, Ok("welcome back"));
        complete()
    });
}

#[test]
fn a_ticker_of_the_test_does_not_run_ahead() {
    on(ONE_THREAD).ends(|| async {
        let ticks = Arc::new(AtomicUsize::new(0));
        let (counter, clocks) = (ticks.clone(), Clocks::start());
        daemon("ticker", || {
            tokio::spawn(async move {
                let mut second = interval(Duration::from_secs(1));
                loop {
                    second.tick().await;
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        look_at_a_leak().await;
        let (ticks, real) = (ticks.load(Ordering::SeqCst), clocks.real.elapsed());
        assert!(ticks as u64 <= 2 + real.as_secs(), "{ticks} ticks in {real:?}");
        complete()
    });
}

#[test]
fn an_entry_of_a_cache_is_fresh_after_the_look() {
    on(ONE_THREAD).ends(|| async {
        let fresh_until = Instant::now() + Duration::from_secs(9);
        look_at_a_leak().await;
        assert!(Instant::now() < fresh_until, "the entry is stale");
        complete()
    });
}

/// The scope waits for a task that sleeps: in real time, as everything else in the test.
#[test]
fn what_a_scope_waits_for_takes_real_time() {
    on(REAL_TIME).ends(|| async {
        let clocks = Clocks::start();
        let scope = leakcheck::scope();
        tokio::spawn(sleep(Duration::from_secs(1)));
        scope.assert().await;
        clocks.assert_together();
        complete()
    });
}

/// The third look of a test that looks after each step.
#[test]
fn looks_do_not_add_up() {
    on(ONE_THREAD).ends(|| async {
        let clocks = Clocks::start();
        let mut lease = Box::pin(sleep(Duration::from_secs(25)));
        for _ in 0..3 {
            look_at_a_leak().await;
        }
        assert!(futures_util::poll!(lease.as_mut()).is_pending(), "the lease has expired");
        assert!(clocks.tokio.elapsed() <= clocks.real.elapsed() + 3 * SETTLE + MOMENT, "{:?}", clocks.tokio.elapsed());
        complete()
    });
}
