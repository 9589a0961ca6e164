//! Lets the reader watch for the end of its queue's receiver, which the stream's entry keeps.
//!
//! A control plane tells its Envoys what to serve, over one delta stream each. The inventory of Envoys is down.
//!
//! Run it: `cargo run --bin xds-delta-stream-wrong-select`
//!
//! You will see what you saw without the `select!`: one task more for every reconnect.

mod inventory;
mod world;

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt;
use inventory::Inventory;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Server};
use world::Envoys;
use xds::{Answer, Cache, Incoming, Request, Session};

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
/// Requests of a stream that wait for their turn.
const REQUESTS: usize = 1;

#[derive(Default)]
struct Plane {
    cache: Cache,
    inventory: Inventory,
    /// The streams that are open, for the status page.
    streams: Mutex<HashMap<u64, Arc<Requests>>>,
    stop: CancellationToken,
}

/// The reader sends, the processor receives. It closes when the
/// last owner is gone.
type Requests = AsyncMutex<mpsc::Receiver<Request>>;

impl Plane {
    /// A stream, from its first request to its end. The network
    /// receives what is sent to `answers`, and closes it.
    async fn process(
        self: Arc<Self>,
        id: u64,
        incoming: Incoming,
        answers: mpsc::Sender<Answer>,
    ) -> Result<(), Status> {
        let (tx, rx) = mpsc::channel(REQUESTS);
        let requests = Arc::new(AsyncMutex::new(rx));
        self.register(id, requests.clone());
        tokio::spawn(read(incoming, tx));
        let mut requests = requests.lock().await;
        let mut session = Session::default();
        let mut news = self.cache.follow();
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(request) = request else { break };
                    self.inventory.note(&request).await?;
                    session.accept(request);
                }
                Ok(()) = news.changed() => {}
                () = self.stop.cancelled() => break,
            }
            let snapshot = news.borrow_and_update().clone();
            session.answer(&snapshot, &answers).await?;
        }
        // LEAK: every `?` above leaves without this line.
        self.streams.lock().unwrap().remove(&id);
        Ok(())
    }

    fn register(&self, id: u64, requests: Arc<Requests>) {
        self.streams.lock().unwrap().insert(id, requests);
    }
}

/// Hands on what an Envoy sends, until its stream ends.
async fn read(mut incoming: Incoming, to: mpsc::Sender<Request>) {
    loop {
        let said = tokio::select! {
            said = incoming.next() => said,
            () = to.closed() => return,
        };
        let Some(Ok(request)) = said else { return };
        tokio::select! {
            sent = to.send(request) => if sent.is_err() { return },
            () = to.closed() => return,
        }
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
