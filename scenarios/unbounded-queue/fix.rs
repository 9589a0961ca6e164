//! Puts readings into a bounded channel, and drops those that find it full.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-fix`
//!
//! You will see as many readings as there is room for, and the others lost.

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use tokio::{
    net::TcpStream,
    sync::mpsc::{self, error::TrySendError},
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
        match self.readings.try_send(reading) {
            // FIX: what finds no room is dropped, and counted.
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
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

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_stalled_control_room_holds_few_readings() {
        let (room, line) = ControlRoom::call().await.unwrap();
        let hall = Hall::open(line);
        let readings = leakcheck::scope();
        for _ in 0..200 {
            hall.push(room.reading()).await.unwrap();
        }
        // No task is left, with the leak neither.
        readings.assert().await;
        let held = room.held();
        assert!(held <= 32, "leak: {held} of 200 readings are held");
    }
    // ANCHOR_END: guard
}
