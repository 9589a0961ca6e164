//! Opens a client every round, and keeps it under the number of the round.
//!
//! One process is both gRPC server and gRPC client: a replica that checks, round by round, whether its
//! peers serve the configuration that it serves. Its discovery knows one peer here: the replica itself.
//!
//! Run it: `cargo run --bin unclosed-client-leak`
//!
//! You will see four tasks and two sockets more after every round, on the two ends of a connection nobody uses again.

mod world;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use tokio::task::JoinSet;
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
        let held = replica.clone();
        stage.gauge("clients_held", move || held.clients_held());
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
    /// The client of the last round, for calls until the next.
    clients: Mutex<HashMap<u64, HealthClient<Channel>>>,
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
        let mut client = connect(peer).await?;
        let request = HealthCheckRequest { service: CONFIG.into() };
        let answer = client.check(request).await?.into_inner();
        let serves = answer.status() == ServingStatus::Serving;
        anyhow::ensure!(serves, "{peer} is behind");
        self.peers.in_step.lock().unwrap().insert(peer, round);
        // LEAK: a new key every round, so no old client is dropped.
        self.peers.clients.lock().unwrap().insert(round, client);
        Ok(())
    }

    /// Here the only peer is this replica. A real one asks DNS.
    fn discover(&self) -> SocketAddr {
        self.addr
    }
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

impl Replica {
    fn clients_held(&self) -> u64 {
        self.peers.clients.lock().unwrap().len() as u64
    }
}

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    #[should_panic(expected = "leak: 20 tasks left")]
    async fn rounds_leave_no_connection_behind() {
        let replica = Replica::start().await.unwrap();
        let rounds = leakcheck::scope();
        for round in 0..5 {
            replica.check(round).await.unwrap();
        }
        // The replica lives on, and only the rounds are over.
        rounds.assert().await;
    }
    // ANCHOR_END: guard
}
