//! Takes a handle out in a branch of the `select!` that only a panic matches.
//!
//! A tram company tells over TCP how long the next tram takes. Displays stay connected until the night; passengers ask once.
//!
//! Run it: `cargo run --bin unreaped-handles-wrong`
//!
//! You will see the handles of all displays left, though those of the passengers were taken out.

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
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use world::{MINUTES, Stops, accept, listen};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let trams = Trams::open().await?;
        let (handles, log) = (trams.log.clone(), trams.log.clone());
        stage.gauge("handles", move || {
            *handles.handles.borrow() as u64
        });
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
    stop: CancellationToken,
) {
    let mut talks = JoinSet::new();
    loop {
        log.handles.send_replace(talks.len());
        select! {
            () = stop.cancelled() => break,
            caller = accept(&listener) => {
                talks.spawn(talk(caller));
            }
            // LEAK: a talk that ended well disables this branch.
            Some(Err(panic)) = talks.join_next() => {
                log.log(Err(panic));
            }
        }
    }
    while let Some(ended) = talks.join_next().await {
        log.log(ended);
    }
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
    /// `serve` sends, gauge and guard receive.
    handles: watch::Sender<usize>,
    ends_seen: AtomicU64,
}

impl Monitor {
    /// Logs how a talk has ended, by itself or by a panic.
    fn log(&self, ended: Result<(), JoinError>) {
        self.ends_seen.fetch_add(1, Ordering::Relaxed);
        if let Err(panic) = ended {
            eprintln!("a talk has failed: {panic}");
        }
    }
}

struct Trams {
    stops: Stops,
    log: Arc<Monitor>,
    /// Stops the service when it is dropped.
    _open: DropGuard,
}

impl Trams {
    async fn open() -> Result<Self> {
        let (listener, stops) = listen().await?;
        let log = Arc::new(Monitor::default());
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, log.clone(), stop.clone()));
        Ok(Self { stops, log, _open: stop.drop_guard() })
    }
}
