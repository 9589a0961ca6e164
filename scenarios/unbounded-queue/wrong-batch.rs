//! Bounds the channel, and empties it into a list while the control room is busy.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-wrong-batch`
//!
//! You will see a channel that is always empty, and every reading in the list behind it.

mod world;

use std::{
    collections::VecDeque, pin::pin, process::ExitCode, sync::Arc,
};

use anyhow::Result;
use tokio::{net::TcpStream, select, sync::mpsc};
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
        // Waits when there is no room.
        self.readings.send(reading).await?;
        Ok(())
    }
}

async fn report(
    mut line: TcpStream,
    mut queue: mpsc::Receiver<Reading>,
) -> Result<()> {
    let mut list = VecDeque::new();
    while let Some(first) = queue.recv().await {
        list.push_back(first);
        while let Some(reading) = list.pop_front() {
            let mut told = pin!(tell(&mut line, &reading));
            loop {
                select! {
                    told = &mut told => break told?,
                    // LEAK: the list is never full, so nobody waits.
                    Some(next) = queue.recv() => list.push_back(next),
                }
            }
        }
    }
    Ok(())
}
// ANCHOR_END: service
