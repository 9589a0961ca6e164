//! Opens one channel per peer at the start, and uses it in every round.
//!
//! One process is both gRPC server and gRPC client: a replica that checks, round by round, whether its
//! peers serve the configuration that it serves. Its discovery knows one peer here: the replica itself.
//!
//! Run it: `cargo run --bin unclosed-client-pooled`
//!
//! You will see one connection for the whole run, and no more tasks after a hundred rounds than before.

mod world;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use tokio::{
    runtime::Handle,
    task::{JoinSet, yield_now},
    time::timeout,
};
use tonic::transport::{
    Channel, Endpoint, Error, Server, server::TcpIncoming,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use world::{ANSWER_MAX, ANY_PORT, CONFIG, Clock, health_service};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let replica = Arc::new(Replica::start().await?);
        // The one connection opens now: no round will pay for it.
        replica.check(0).await?;
        timeout(ANSWER_MAX, only(TASKS_AT_REST)).await?;
        let clock = Clock::new(stage);
        let round = async |n| clock.time(replica.check(n)).await;
        stage.load(round).await;
        Ok(replica)
    })
}

// ANCHOR: service
/// One replica of the service: a server, and a client of others.
struct Replica {
    addr: SocketAddr,
    peers: Peers,
    /// Owns the server: it ends with the replica.
    _server: JoinSet<Result<(), Error>>,
}

#[derive(Default)]
struct Peers {
    /// The last round in which a peer served our configuration.
    in_step: Mutex<HashMap<SocketAddr, u64>>,
    /// One channel a peer; its clones share one connection.
    channels: Mutex<HashMap<SocketAddr, Channel>>,
}

impl Replica {
    /// Starts the server half.
    async fn start() -> anyhow::Result<Self> {
        let incoming = TcpIncoming::bind(ANY_PORT)?;
        let addr = incoming.local_addr()?;
        let server =
            Server::builder().add_service(health_service().await);
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve_with_incoming(incoming));
        let peers = Peers::default();
        Ok(Self { addr, peers, _server: tasks })
    }

    /// The client half: does the peer serve our configuration?
    async fn check(&self, round: u64) -> anyhow::Result<()> {
        let peer = self.discover();
        let mut client = HealthClient::new(self.channel(peer)?);
        let request = HealthCheckRequest { service: CONFIG.into() };
        let answer = client.check(request).await?.into_inner();
        let serves = answer.status() == ServingStatus::Serving;
        anyhow::ensure!(serves, "{peer} is behind");
        self.peers.in_step.lock().unwrap().insert(peer, round);
        Ok(())
    }

    /// Here the only peer is this replica. A real one asks DNS.
    fn discover(&self) -> SocketAddr {
        self.addr
    }

    /// A real pool also drops the channel of a peer that is gone.
    fn channel(&self, peer: SocketAddr) -> anyhow::Result<Channel> {
        let mut channels = self.peers.channels.lock().unwrap();
        if let Some(channel) = channels.get(&peer) {
            return Ok(channel.clone());
        }
        let uri = format!("http://{peer}");
        let endpoint = Endpoint::from_shared(uri)?
            .connect_timeout(ANSWER_MAX)
            .timeout(ANSWER_MAX);
        // Connects at the first call, and again after a break.
        let channel = endpoint.connect_lazy();
        // FIX: the key is the peer, so there is one for each.
        channels.insert(peer, channel.clone());
        Ok(channel)
    }
}
// ANCHOR_END: service

/// The server, its end of the connection, and three for ours.
const TASKS_AT_REST: usize = 5;

/// Waits until the task that brought the last answer has ended.
async fn only(tasks: usize) {
    while Handle::current().metrics().num_alive_tasks() > tasks {
        yield_now().await;
    }
}
