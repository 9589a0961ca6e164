//! Offers the load, and waits until the counts are at rest.

use std::{ops::Range, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::{Side, Stage, args::Args, clock::Moment, ending::Reason, wire::Phase};

/// No more than this many units of work are under way at once, however fast they are asked for.
const UNITS_IN_FLIGHT_MAX: usize = 256;
/// The counts stand still when they have not changed for this long…
const STILL: Duration = Duration::from_millis(1_500);
/// …or have been back at their value before the load for this long.
const BACK: Duration = Duration::from_millis(750);
/// When a load ends early, units that are under way get this long to finish.
const FINISH_LIMIT: Duration = Duration::from_secs(2);
/// When somebody interrupts the run, they do not wait that long; nor do they for the counts to come to rest.
const INTERRUPTED_LIMIT: Duration = Duration::from_millis(100);

/// What a run shall offer.
pub(crate) struct Plan {
    units: u64,
    /// Units per second; none is as fast as it goes.
    rate: Option<f64>,
    time_max: Option<Duration>,
    /// After this many units the load rests once.
    pause_at: Option<u64>,
    settle_max: Duration,
    await_console: bool,
}

type Ended = (anyhow::Result<()>, Moment);

impl Plan {
    pub(crate) fn new(args: &Args, side: &Side) -> Self {
        Self {
            units: args.units(side),
            rate: args.rate(side),
            time_max: args.seconds,
            pause_at: args.pause_at,
            settle_max: args.settle,
            await_console: args.await_console,
        }
    }

    fn pace(&self) -> Option<Interval> {
        let mut pace = interval(Duration::from_secs_f64(1.0 / self.rate?));
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Some(pace)
    }
}

impl Stage {
    /// Offers the load: `unit(0)`, `unit(1)`, … at the asked rate, many under way at once, until the asked number is done.
    ///
    /// Units are polled here, inside the main future, and are not tasks: what the gauges count is the service's alone.
    /// A unit that returns an error is counted as failed, and a run with failed units never ends with exit code 0.
    pub async fn load(&self, unit: impl AsyncFn(u64) -> anyhow::Result<()>) {
        let Plan { units, time_max, pause_at, .. } = self.plan;
        if self.plan.await_console {
            self.observer.attached().await;
        }
        self.observer.enter(Phase::Load);
        let ending = &self.observer.ending;
        let all = async {
            let first = pause_at.unwrap_or(units);
            self.offer(0..first, &unit).await;
            if first < units && !ending.load_is_over() {
                self.rest().await;
                self.observer.plateau();
                self.observer.enter(Phase::Load);
                self.offer(first..units, &unit).await;
            }
        };
        // Beside the load and not inside it: a unit that never ends does not keep it from ending.
        let time_is_up = async {
            if let Some(time_max) = time_max {
                // A sleep of no time at all still takes a tick.
                if !time_max.is_zero() {
                    sleep(time_max).await;
                }
                ending.end_load(Reason::Time(time_max));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! { biased; () = time_is_up => {}, () = all => {} }
        ending.load_is_done();
    }

    /// Offers these units, and returns when they have ended or the load is over.
    async fn offer(&self, mut units: Range<u64>, unit: &impl AsyncFn(u64) -> anyhow::Result<()>) {
        let ending = &self.observer.ending;
        let (mut pace, mut under_way) = (self.plan.pace(), FuturesUnordered::new());
        while !ending.load_is_over() {
            let room = !units.is_empty() && under_way.len() < UNITS_IN_FLIGHT_MAX;
            if !room && under_way.is_empty() {
                return;
            }
            tokio::select! {
                () = ending.load_over() => {}
                Some((result, since)) = under_way.next(), if !under_way.is_empty() => self.observer.unit_done(result, since),
                () = tick(&mut pace), if room => under_way.extend(units.next().map(|n| self.timed(unit(n)))),
            }
        }
        self.finish(under_way).await;
    }

    async fn timed(&self, unit: impl Future<Output = anyhow::Result<()>>) -> Ended {
        let since = self.observer.clock.moment();
        (unit.await, since)
    }

    /// The load ended early: what was begun may finish, so that the counts per unit stay right. Not for long.
    async fn finish(&self, mut under_way: FuturesUnordered<impl Future<Output = Ended>>) {
        let interrupted = self.observer.ending.is_interrupted();
        let limit = if interrupted { INTERRUPTED_LIMIT } else { FINISH_LIMIT };
        let rest = async {
            while let Some((result, since)) = under_way.next().await {
                self.observer.unit_done(result, since);
            }
        };
        let _ = timeout(limit, rest).await;
        self.observer.units_cut_off(under_way.len());
    }

    /// Waits until the counts stand still: back where they were before the load, or unchanged for a while.
    pub(crate) async fn rest(&self) {
        self.observer.enter(Phase::Quiet);
        let still = async {
            let mut last = (self.observer.moving(), Instant::now());
            loop {
                sleep(Duration::from_millis(50)).await;
                let now = self.observer.moving();
                if now != last.0 {
                    last = (now, Instant::now());
                }
                if last.1.elapsed() >= if self.observer.is_back() { BACK } else { STILL } {
                    return;
                }
            }
        };
        // An interrupted run still reports; it waits less.
        let hurry = async {
            self.observer.ending.interrupted().await;
            sleep(INTERRUPTED_LIMIT).await;
        };
        tokio::select! {
            () = still => {}
            () = sleep(self.plan.settle_max) => self.observer.unsettled(),
            () = hurry => self.observer.unsettled(),
        }
    }
}

async fn tick(pace: &mut Option<Interval>) {
    match pace {
        Some(pace) => drop(pace.tick().await),
        // As fast as it goes, but let the service run in between.
        None => tokio::task::yield_now().await,
    }
}
