//! Takes every handle out as soon as its talk has ended.
//!
//! A tram company tells over TCP how long the next tram takes. Displays stay connected until the night; passengers ask once.
//!
//! Run it: `cargo run --bin unreaped-handles-fix`
//!
//! You will see as many handles as talks, and none at the end.

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
            // FIX: whatever the result is, this branch takes it.
            Some(ended) = talks.join_next() => log.log(ended),
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

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_talk_that_has_ended_leaves_no_handle_behind() {
        let trams = Trams::open().await.unwrap();
        let talks = leakcheck::scope();
        for passenger in 0..20 {
            trams.stops.passenger(passenger).await.unwrap();
        }
        // No task is left, with the leak neither.
        talks.assert().await;
        let mut handles = trams.log.handles.subscribe();
        let none = handles.wait_for(|&handles| handles == 0);
        if timeout(Duration::from_secs(2), none).await.is_err() {
            let left = *trams.log.handles.borrow();
            panic!("leak: {left} handles of 20 ended talks");
        }
    }
    // ANCHOR_END: guard

    #[leakcheck::test]
    async fn the_end_of_the_service_waits_for_a_talk() {
        let (listener, stops) = listen().await.unwrap();
        let log = Arc::new(Monitor::default());
        let stop = CancellationToken::new();
        let served = serve(listener, log.clone(), stop.clone());
        let served = tokio::spawn(served);
        stops.open(1).await.unwrap();
        stop.cancel();
        // The display of the stop is still there.
        tokio::task::yield_now().await;
        assert!(!served.is_finished());
        drop(stops);
        served.await.unwrap();
    }
}
