use std::future::pending;

use axum::{Router, body::Body, http::Request, routing::get};
use axum_test::TestServer;
use harnesses::{run_ignored, spawned_at};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tower::ServiceExt;

fn clean() -> Router {
    Router::new().route("/ping", get(async || "pong"))
}

fn leaky() -> Router {
    let handler = async || {
        tokio::spawn(pending::<()>()); // LEAK: handler
        "pong"
    };
    Router::new().route("/ping", get(handler))
}

fn request() -> Request<Body> {
    Request::get("/ping").body(Body::empty()).unwrap()
}

/// One request over a socket, and the answer.
async fn ask(address: std::net::SocketAddr) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[leakcheck::test]
async fn oneshot_spawns_nothing() {
    assert_eq!(clean().oneshot(request()).await.unwrap().status(), 200);
}

#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = axum::serve(listener, clean()).with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(serve.into_future());
    assert!(ask(address).await.ends_with("pong"));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[leakcheck::test]
async fn axum_test_with_a_mocked_network() {
    TestServer::new(clean()).get("/ping").await.assert_text("pong");
}

#[leakcheck::test]
async fn axum_test_on_a_port() {
    let server = TestServer::builder().http_transport().build(clean());
    server.get("/ping").await.assert_text("pong");
}

mod must_fail {
    use super::*;

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn a_handler_by_oneshot() {
        leaky().oneshot(request()).await.unwrap();
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn a_handler_by_axum_test() {
        TestServer::new(leaky()).get("/ping").await.assert_text("pong");
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn a_server_that_nobody_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, clean()).into_future()); // LEAK: server
        assert!(ask(address).await.ends_with("pong"));
    }
}

#[test]
fn a_handlers_leak_and_a_server_left_are_reported() {
    let run = run_ignored("axum::must_fail");
    run.counts(0, 3);
    run.says("axum::must_fail::a_handler_by_oneshot", &["leak: 1 task left\n", &spawned_at!("handler")]);
    run.says("axum::must_fail::a_handler_by_axum_test", &["leak: 1 task left\n", &spawned_at!("handler")]);
    run.says("axum::must_fail::a_server_that_nobody_stops", &["leak: 1 task left\n", &spawned_at!("server")]);
}
