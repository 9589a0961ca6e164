//! The outside world: the ferry line's reservation system, its audit log, and passengers who ask while the prices change.

use std::{
    env,
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use futures_util::future::join_all;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Workers of one pool: the reservation system grants so many
/// sessions.
pub(crate) const WORKERS: usize = 8;
/// Passengers who wait when the prices change: one for each worker,
/// and four in the queue.
const PASSENGERS: usize = WORKERS + 4;
/// The reservation system takes this long for each question.
const ANSWER: Duration = Duration::from_millis(5);
/// A worker brings its fares to the audit log this often…
const FLUSH_MS: u64 = 1_000;
/// …or as often as this variable says.
const FLUSH_MS_ASKED: &str = "FARES_FLUSH_MS";
/// Harbours with a price of their own.
const HARBOURS: usize = 1_000;
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// What a list of prices is made of: cents to each harbour.
pub(crate) fn prices(cents: u64) -> Arc<[u64]> {
    vec![cents; HARBOURS].into()
}

/// The reservation system. A real one is another machine.
#[derive(Clone)]
pub(crate) struct Office(Arc<Books>);

struct Books {
    /// The desk cancels when it is dropped.
    closing: CancellationToken,
    flush: Duration,
    /// Questions under way. The office sends, passengers receive;
    /// it closes with the office.
    busy: watch::Sender<usize>,
    /// While it is true no question is answered. A change of prices
    /// sends, questions receive; it closes with the office.
    is_held: watch::Sender<bool>,
    /// One change of prices at a time.
    turn: Mutex<()>,
    audited: AtomicU64,
    lost: AtomicU64,
    cut: AtomicU64,
    /// How long stops took, in microseconds: some take less than a millisecond.
    stop_micros: AtomicU64,
}

/// A question under way. One that is dropped was cut in the middle.
struct Question<'a> {
    books: &'a Books,
    is_answered: bool,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.books.busy.send_modify(|busy| *busy -= 1);
        let cut = u64::from(!self.is_answered);
        self.books.cut.fetch_add(cut, Ordering::SeqCst);
    }
}

impl Default for Office {
    fn default() -> Self {
        Self(Arc::new(Books {
            closing: CancellationToken::new(),
            flush: flush(),
            busy: watch::Sender::new(0),
            is_held: watch::Sender::new(false),
            turn: Mutex::default(),
            audited: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            stop_micros: AtomicU64::new(0),
        }))
    }
}

impl Office {
    pub(crate) fn show(&self, stage: &stage::Stage) {
        type Read = fn(&Books) -> &AtomicU64;
        let gauges: [(&str, Read, u64); 3] = [
            ("lost", |books| &books.lost, 1),
            ("cut", |books| &books.cut, 1),
            ("stop_ms", |books| &books.stop_micros, 1_000),
        ];
        for (name, read, unit) in gauges {
            let books = self.0.clone();
            let read =
                move || read(&books).load(Ordering::SeqCst) / unit;
            stage.gauge(name, read);
        }
    }

    /// Cancelled when the whole service ends.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    pub(crate) fn flush(&self) -> Duration {
        self.0.flush
    }

    /// Free seats on the next ship.
    pub(crate) async fn seats(&self, harbour: usize) -> u64 {
        self.ask(harbour % 90).await
    }

    /// Free seats on the ship after that: a hint, for those who may
    /// choose.
    pub(crate) async fn seats_later(&self, harbour: usize) -> u64 {
        self.ask(harbour % 120).await
    }

    async fn ask(&self, seats: usize) -> u64 {
        self.0.busy.send_modify(|busy| *busy += 1);
        let mut question =
            Question { books: &self.0, is_answered: false };
        sleep(ANSWER).await;
        let mut is_held = self.0.is_held.subscribe();
        // It is never closed while somebody asks.
        let _ = is_held.wait_for(|is_held| !is_held).await;
        question.is_answered = true;
        seats as u64
    }

    /// Keeps what a worker has collected. Nothing is kept of nothing.
    pub(crate) fn audit(&self, fares: &mut Vec<u64>) {
        if !fares.is_empty() {
            let count = fares.drain(..).count() as u64;
            self.0.audited.fetch_add(count, Ordering::SeqCst);
        }
    }

    /// One unit: passengers ask, and the prices change while every
    /// worker is at work and four wait. The answers are held until
    /// the old pool was told to stop, so that this is so each time.
    pub(crate) async fn change(
        &self,
        ask: impl AsyncFn(usize) -> bool,
        reload: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let _turn = self.0.turn.lock().await;
        self.0.is_held.send_replace(true);
        let mut busy = self.0.busy.subscribe();
        let asks = join_all((0..PASSENGERS).map(|to| ask(to)));
        let change = async {
            let all = busy.wait_for(|busy| *busy == WORKERS).await;
            all.map(drop).context("the office has closed")?;
            let began = Instant::now();
            let release =
                async { self.0.is_held.send_replace(false) };
            // In this order: the first poll tells the pool.
            tokio::join!(biased; reload, release);
            let took = began.elapsed().as_micros() as u64;
            self.0.stop_micros.fetch_add(took, Ordering::SeqCst);
            anyhow::Ok(())
        };
        let both = async { tokio::join!(asks, change) };
        let (fares, changed) = timeout(LIMIT, both)
            .await
            .context("no answer in time")?;
        changed?;
        let lost = fares.iter().filter(|got| !**got).count() as u64;
        self.0.lost.fetch_add(lost, Ordering::SeqCst);
        Ok(())
    }
}

fn flush() -> Duration {
    let asked = env::var(FLUSH_MS_ASKED).ok();
    let ms = asked.map_or(Some(FLUSH_MS), |ms| ms.parse().ok());
    let Some(ms) = ms.filter(|ms| *ms > 0) else {
        eprintln!("{FLUSH_MS_ASKED} must be milliseconds, 1 or more");
        exit(2);
    };
    Duration::from_millis(ms)
}
