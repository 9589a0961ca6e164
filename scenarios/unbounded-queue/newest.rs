//! Puts readings into a broadcast channel, which overwrites the oldest.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-newest`
//!
//! You will see as many readings as the channel has room for: the newest.

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use tokio::{
    net::TcpStream,
    sync::broadcast::{self, error::RecvError},
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
    readings: broadcast::Sender<Arc<Reading>>,
    _report: AbortOnDropHandle<Result<()>>,
}

impl Hall {
    fn open(line: TcpStream) -> Self {
        // FIX: a reading that finds no room takes that of the oldest.
        let (readings, queue) = broadcast::channel(QUEUE);
        let report = tokio::spawn(report(line, queue));
        let _report = AbortOnDropHandle::new(report);
        Self { readings, _report }
    }

    async fn push(&self, reading: Reading) -> Result<()> {
        self.readings.send(Arc::new(reading))?;
        Ok(())
    }
}

async fn report(
    mut line: TcpStream,
    mut queue: broadcast::Receiver<Arc<Reading>>,
) -> Result<()> {
    loop {
        match queue.recv().await {
            Ok(reading) => tell(&mut line, &reading).await?,
            // So many were overwritten: go on with what is there.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}
// ANCHOR_END: service
