//! Drops its clients, and reads every round's watch under a deadline.
//!
//! One process is both gRPC server and gRPC client: a replica that checks, round by round, whether its
//! peers serve the configuration that it serves. Its discovery knows one peer here: the replica itself.
//!
//! Run it: `cargo run --bin unclosed-client-deadline`
//!
//! You will see the watches of the last two seconds while rounds are under way, and then none.

mod world;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use tokio::{task::JoinSet, time::timeout};
use tonic::transport::{
    Channel, Endpoint, Error, Server, server::TcpIncoming,
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_client::HealthClient,
};
use world::{ANSWER_MAX, ANY_PORT, CONFIG, Clock, health_service};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let replica = Arc::new(Replica::start().await?);
        let clock = Clock::new(stage);
        let round = async |n| clock.time(replica.check(n)).await;
        stage.load(round).await;
        Ok(replica)
    })
}

// ANCHOR: service
const WATCH_MAX: Duration = Duration::from_secs(2);

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
    in_step: Arc<Mutex<HashMap<SocketAddr, u64>>>,
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

    /// The client half: follows the peer's state for a while.
    async fn check(&self, round: u64) -> anyhow::Result<()> {
        let peer = self.discover();
        let mut client = connect(peer).await?;
        let service = CONFIG.into();
        let ask = HealthCheckRequest { service };
        let mut news = client.watch(ask).await?.into_inner();
        // The server tells at once how things are now.
        let now = news.message().await?.context("no answer")?;
        anyhow::ensure!(serves(&now), "{peer} is behind");
        let in_step = self.peers.in_step.clone();
        in_step.lock().unwrap().insert(peer, round);
        let follow = async move {
            while let Ok(Some(now)) = news.message().await {
                if !serves(&now) {
                    in_step.lock().unwrap().remove(&peer);
                }
            }
        };
        // FIX: the deadline drops the stream, wherever it waits.
        tokio::spawn(timeout(WATCH_MAX, follow));
        Ok(())
    }

    /// Here the only peer is this replica. A real one asks DNS.
    fn discover(&self) -> SocketAddr {
        self.addr
    }
}

fn serves(answer: &HealthCheckResponse) -> bool {
    answer.status() == ServingStatus::Serving
}

async fn connect(
    peer: SocketAddr,
) -> anyhow::Result<HealthClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{peer}"))?
        .connect_timeout(ANSWER_MAX)
        .timeout(ANSWER_MAX);
    Ok(HealthClient::new(endpoint.connect().await?))
}
// ANCHOR_END: service
