//! Counts talks in a tracker, which keeps neither handle nor result.
//!
//! A tram company tells over TCP how long the next tram takes. Displays stay connected until the night; passengers ask once.
//!
//! Run it: `cargo run --bin unreaped-handles-tracker`
//!
//! You will see no handle left, and no log of a talk that panicked.

mod world;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    select,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use world::{MINUTES, Stops, accept, listen};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let trams = Trams::open().await?;
        let (talks, log) = (trams.talks.clone(), trams.log.clone());
        stage.gauge("handles", move || talks.len() as u64);
        stage.gauge("ends_seen", move || {
            log.ends_seen.load(Ordering::Relaxed)
        });
        stage.load(async |stop| trams.stops.open(stop).await).await;
        trams.stops.night().await?;
        Ok(trams)
    })
}

// ANCHOR: service
/// Answers until `stop`, and then lets every talk finish.
async fn serve(
    listener: TcpListener,
    log: Arc<Monitor>,
    talks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        select! {
            () = stop.cancelled() => break,
            caller = accept(&listener) => {
                let log = log.clone();
                // FIX: the handle is dropped, so the talk logs.
                talks.spawn(async move {
                    talk(caller).await;
                    log.log();
                });
            }
        }
    }
    talks.close();
    talks.wait().await;
}

/// Until the caller hangs up. A real one would also end a caller
/// who is silent for too long.
async fn talk(mut caller: TcpStream) {
    while let Ok(stop) = caller.read_u16().await {
        // A number that is no stop's is a panic.
        let minutes = MINUTES[usize::from(stop)];
        if caller.write_u8(minutes).await.is_err() {
            return;
        }
    }
}
// ANCHOR_END: service

/// What the company's monitoring reads.
#[derive(Default)]
struct Monitor {
    ends_seen: AtomicU64,
}

impl Monitor {
    /// Logs that a talk has ended.
    fn log(&self) {
        self.ends_seen.fetch_add(1, Ordering::Relaxed);
    }
}

struct Trams {
    stops: Stops,
    talks: TaskTracker,
    log: Arc<Monitor>,
    /// Stops the service when it is dropped.
    _open: DropGuard,
}

impl Trams {
    async fn open() -> Result<Self> {
        let (listener, stops) = listen().await?;
        let log = Arc::new(Monitor::default());
        let stop = CancellationToken::new();
        let talks = TaskTracker::new();
        let (to, tracker) = (log.clone(), talks.clone());
        tokio::spawn(serve(listener, to, tracker, stop.clone()));
        Ok(Self { stops, talks, log, _open: stop.drop_guard() })
    }
}
