//! Renders and ends, and the board misses some of the ends.
//!
//! A render farm shows its jobs on a board, which is told of each start and each end.
//!
//! Run it: `cargo run --bin lost-events-control`
//!
//! You will see rows that stay on the board, and no task behind them.

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let farm = Farm::open();
        let shown = farm.rows.clone();
        stage.gauge("rows", move || {
            shown.lock().unwrap().len() as u64
        });
        stage.load(async |n| farm.ordered(n)).await;
        Ok(farm)
    })
}

// ANCHOR: service
/// What is not drawn yet waits here; more is dropped.
const EVENTS_MAX: usize = 8;
const REDRAW: Duration = Duration::from_millis(100);
/// A frame takes so long.
const FRAME: Duration = Duration::from_millis(20);

enum Event {
    Started(u64),
    Ended(u64),
}

struct Farm {
    /// What the board shows.
    rows: Arc<Mutex<HashSet<u64>>>,
    /// Jobs send; the board receives; open as long as the farm is.
    board: mpsc::Sender<Event>,
}

impl Farm {
    async fn render(self: Arc<Self>, job: u64) {
        self.tell(Event::Started(job));
        // BOUND: a frame takes its time, and then the job ends.
        sleep(FRAME).await;
        self.tell(Event::Ended(job));
    }

    /// The board must not hold a job up, so an event may be lost.
    fn tell(&self, event: Event) {
        let _ = self.board.try_send(event);
    }
}

/// Draws what it was told, ten times a second.
async fn draw(
    rows: Arc<Mutex<HashSet<u64>>>,
    mut events: mpsc::Receiver<Event>,
) {
    let mut redraw = interval(REDRAW);
    while !events.is_closed() {
        redraw.tick().await;
        while let Ok(event) = events.try_recv() {
            let mut rows = rows.lock().unwrap();
            match event {
                Event::Started(job) => rows.insert(job),
                Event::Ended(job) => rows.remove(&job),
            };
        }
    }
}
// ANCHOR_END: service

impl Farm {
    fn open() -> Arc<Self> {
        let rows = Arc::<Mutex<HashSet<u64>>>::default();
        let (board, events) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(draw(rows.clone(), events));
        Arc::new(Self { rows, board })
    }

    fn ordered(self: &Arc<Self>, job: u64) -> anyhow::Result<()> {
        tokio::spawn(self.clone().render(job));
        Ok(())
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::*;

    const JOBS: u64 = 12;
    const LEAKS: bool = false;

    /// A farm after so many jobs.
    async fn after(jobs: u64) -> Arc<Farm> {
        let farm = Farm::open();
        (0..jobs).for_each(|number| farm.ordered(number).unwrap());
        farm
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn jobs_end_whatever_the_board_shows() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let bounded = checker.clone().allow_at_most(file!(), 1);
            let report = bounded.find(|| after(4 * JOBS)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(JOBS).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
