//! Bounds the channel, and spawns a task for a reading that finds it full.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-wrong`
//!
//! You will see every reading still in memory, and nearly every one with a task of its own.

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
        let Err(full) = self.readings.try_send(reading) else {
            return Ok(());
        };
        let queue = self.readings.clone();
        // LEAK: the queue goes on, made of tasks that wait for room.
        tokio::spawn(
            async move { queue.send(full.into_inner()).await },
        );
        Ok(())
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
