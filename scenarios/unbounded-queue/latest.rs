//! Keeps the latest reading in a watch channel, and no other.
//!
//! A machine hall tells a control room what its sensors measure, one reading after the other over a line. The control room stalls.
//!
//! Run it: `cargo run --bin unbounded-queue-latest`
//!
//! You will see two readings: the one that is told, and the latest.

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use tokio::{net::TcpStream, sync::watch};
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
    readings: watch::Sender<Option<Arc<Reading>>>,
    _report: AbortOnDropHandle<Result<()>>,
}

impl Hall {
    fn open(line: TcpStream) -> Self {
        // FIX: there is one place, and the next reading takes it.
        let (readings, queue) = watch::channel(None);
        let report = tokio::spawn(report(line, queue));
        let _report = AbortOnDropHandle::new(report);
        Self { readings, _report }
    }

    async fn push(&self, reading: Reading) -> Result<()> {
        self.readings.send(Some(Arc::new(reading)))?;
        Ok(())
    }
}

async fn report(
    mut line: TcpStream,
    mut queue: watch::Receiver<Option<Arc<Reading>>>,
) -> Result<()> {
    while queue.changed().await.is_ok() {
        let latest = queue.borrow_and_update().clone();
        if let Some(reading) = latest {
            tell(&mut line, &reading).await?;
        }
    }
    Ok(())
}
// ANCHOR_END: service
