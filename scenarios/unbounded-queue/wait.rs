//! Bounds the channel, and lets a sensor wait for room, for a while.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-wait`
//!
//! You will see as many readings as there is room for, and sensors that wait before theirs is lost.

mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Result;
use tokio::{
    net::TcpStream,
    sync::mpsc::{self, error::SendTimeoutError},
};
use tokio_util::task::AbortOnDropHandle;
use world::{ControlRoom, Reading, tell};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let (room, line) = ControlRoom::call().await?;
        room.show(stage);
        let hall = Arc::new(Hall::open(line));
        stage.load(async |_| hall.push(room.reading()).await).await;
        Ok((hall, room))
    })
}

// ANCHOR: service
/// A sensor waits for so long.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Readings that may wait.
const QUEUE: usize = 8;

struct Hall {
    /// Sensors send, `report` receives; the hall closes.
    readings: mpsc::Sender<Reading>,
    _report: AbortOnDropHandle<Result<()>>,
}

impl Hall {
    fn open(line: TcpStream) -> Self {
        let (readings, queue) = mpsc::channel(QUEUE);
        let report = tokio::spawn(report(line, queue));
        let _report = AbortOnDropHandle::new(report);
        Self { readings, _report }
    }

    async fn push(&self, reading: Reading) -> Result<()> {
        let sent = self.readings.send_timeout(reading, WAIT_MAX);
        match sent.await {
            // FIX: the sensor has waited, and knows that it is lost.
            Ok(()) | Err(SendTimeoutError::Timeout(_)) => Ok(()),
            Err(closed) => Err(closed.into()),
        }
    }
}

async fn report(
    mut line: TcpStream,
    mut queue: mpsc::Receiver<Reading>,
) -> Result<()> {
    while let Some(reading) = queue.recv().await {
        tell(&mut line, &reading).await?;
    }
    Ok(())
}
// ANCHOR_END: service
