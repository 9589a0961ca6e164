use std::{future::pending, net::SocketAddr};

use harnesses::{run_ignored, spawned_at};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// A server in this process, how to stop it, and where it is.
async fn serve() -> (JoinHandle<Result<(), tonic::transport::Error>>, oneshot::Sender<()>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (_, health) = tonic_health::server::health_reporter();
    let serving = Server::builder()
        .add_service(health)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), async { drop(stopped.await) });
    (tokio::spawn(serving), stop, address) // LEAK: server
}

async fn connect(address: SocketAddr) -> HealthClient<Channel> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    HealthClient::new(channel)
}

#[leakcheck::test]
async fn a_client_dropped_and_a_server_stopped() {
    let (server, stop, address) = serve().await;
    let mut client = connect(address).await;
    client.check(HealthCheckRequest::default()).await.unwrap();
    drop(client);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_side_by_side() {
    let (server, stop, address) = serve().await;
    let client = connect(address).await;
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let mut client = client.clone();
        calls.spawn(async move { client.check(HealthCheckRequest::default()).await.unwrap() });
    }
    calls.join_all().await;
    drop(client);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

mod must_fail {
    use super::*;

    #[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "fails on purpose"]
    async fn a_client_that_a_task_holds() {
        let (server, stop, address) = serve().await;
        let client = connect(address).await;
        let hold = async move {
            let _client = client;
            pending::<()>().await;
        };
        tokio::spawn(hold); // LEAK: client
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn a_server_that_nobody_stops() {
        let (_, stop, address) = serve().await;
        connect(address).await.check(HealthCheckRequest::default()).await.unwrap();
        std::mem::forget(stop);
    }
}

#[test]
fn who_holds_a_client_and_a_server_left_are_reported() {
    let run = run_ignored("tonic::must_fail");
    run.counts(0, 2);
    run.says("tonic::must_fail::a_client_that_a_task_holds", &["leak: ", &spawned_at!("client")]);
    run.says("tonic::must_fail::a_server_that_nobody_stops", &["leak: ", &spawned_at!("server")]);
}
