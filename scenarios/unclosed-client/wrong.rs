//! Keeps the clients, with keepalive on HTTP/2 and on TCP at both ends.
//!
//! One process is both gRPC server and gRPC client: a replica that checks, round by round, whether its
//! peers serve the configuration that it serves. Its discovery knows one peer here: the replica itself.
//!
//! Run it: `cargo run --bin unclosed-client-wrong`
//!
//! You will see as much left as without keepalive, and tasks that are polled for as long as they live.

mod world;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
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
const PING: Duration = Duration::from_millis(500);
const PONG_MAX: Duration = Duration::from_secs(3);
/// TCP's own; the kernel takes whole seconds.
const PROBE: Duration = Duration::from_secs(1);

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
        let incoming =
            TcpIncoming::bind(ANY_PORT)?.with_keepalive(Some(PROBE));
        let addr = incoming.local_addr()?;
        let server = Server::builder()
            .http2_keepalive_interval(Some(PING))
            .http2_keepalive_timeout(Some(PONG_MAX))
            .add_service(health_service().await);
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
        // LEAK: kept clients live, so they answer every ping.
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
        .timeout(ANSWER_MAX)
        .tcp_keepalive(Some(PROBE))
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG_MAX)
        .keep_alive_while_idle(true);
    Ok(HealthClient::new(endpoint.connect().await?))
}
// ANCHOR_END: service

impl Replica {
    fn clients_held(&self) -> u64 {
        self.peers.clients.lock().unwrap().len() as u64
    }
}
