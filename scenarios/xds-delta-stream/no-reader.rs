//! Reads the stream where its requests are processed: there is no reader that could be left.
//!
//! A control plane tells its Envoys what to serve, over one delta stream each. The inventory of Envoys is down.
//!
//! Run it: `cargo run --bin xds-delta-stream-no-reader`
//!
//! You will see the counts rise with every reconnect, and come back to where they started.

mod inventory;
mod world;

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt;
use inventory::Inventory;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Server};
use world::Envoys;
use xds::{Answer, Cache, Incoming, Session};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let (envoys, listener) = Envoys::open().await?;
        let plane = Arc::new(Plane::default());
        let (server, shown) = (plane.serve(listener), plane.clone());
        stage.gauge("streams", move || shown.streams());
        let Plane { cache, inventory, .. } = &*plane;
        let envoy = envoys.outage(stage, cache, inventory).await?;
        Ok((plane, server, envoys, envoy))
    })
}

// ANCHOR: service
#[derive(Default)]
struct Plane {
    cache: Cache,
    inventory: Inventory,
    /// The streams that are open, for the status page.
    streams: Mutex<HashSet<u64>>,
    stop: CancellationToken,
}

impl Plane {
    /// A stream, from its first request to its end. The network
    /// receives what is sent to `answers`, and closes it.
    async fn process(
        self: Arc<Self>,
        id: u64,
        mut incoming: Incoming,
        answers: mpsc::Sender<Answer>,
    ) -> Result<(), Status> {
        // FIX: nobody reads ahead, so nobody is left behind.
        let _entry = self.register(id);
        let mut session = Session::default();
        let mut news = self.cache.follow();
        loop {
            tokio::select! {
                said = incoming.next() => {
                    let Some(Ok(request)) = said else { break };
                    self.inventory.note(&request).await?;
                    session.accept(request);
                }
                Ok(()) = news.changed() => {}
                () = self.stop.cancelled() => break,
            }
            let snapshot = news.borrow_and_update().clone();
            session.answer(&snapshot, &answers).await?;
        }
        Ok(())
    }

    fn register(&self, id: u64) -> Entry<'_> {
        self.streams.lock().unwrap().insert(id);
        Entry(self, id)
    }
}

/// A line of the status page: gone once, on every path.
struct Entry<'a>(&'a Plane, u64);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.streams.lock().unwrap().remove(&self.1);
    }
}
// ANCHOR_END: service

impl Plane {
    /// All of it ends when the set is dropped.
    fn serve(self: &Arc<Self>, at: TcpListener) -> JoinSet<()> {
        let plane = self.clone();
        xds::serve(Server::builder(), at, move |id, says, answers| {
            plane.clone().process(id, says, answers)
        })
    }

    fn streams(&self) -> u64 {
        self.streams.lock().unwrap().len() as u64
    }
}
