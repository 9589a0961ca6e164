//! Puts every reading into an unbounded channel.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-leak`
//!
//! You will see no task more, and one reading more in memory for every reading.

#![expect(
    clippy::disallowed_methods,
    reason = "this channel is what the file is about"
)]

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use tokio::{net::TcpStream, sync::mpsc};
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
struct Hall {
    /// Sensors send, `report` receives; the hall closes.
    readings: mpsc::UnboundedSender<Reading>,
    _report: AbortOnDropHandle<Result<()>>,
}

impl Hall {
    fn open(line: TcpStream) -> Self {
        // LEAK: nothing limits what waits for the control room.
        let (readings, queue) = mpsc::unbounded_channel();
        let report = tokio::spawn(report(line, queue));
        let _report = AbortOnDropHandle::new(report);
        Self { readings, _report }
    }

    async fn push(&self, reading: Reading) -> Result<()> {
        self.readings.send(reading)?;
        Ok(())
    }
}

async fn report(
    mut line: TcpStream,
    mut queue: mpsc::UnboundedReceiver<Reading>,
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
    #[should_panic(expected = "leak: 200 of 200 readings are held")]
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
