use std::{net::SocketAddr, sync::atomic::AtomicUsize};

use axum::{extract::State, routing::get};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);
/// Nothing that is waited for takes longer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);
const PATIENT: Limits = Limits { connections: 8, head: NEVER, stall: NEVER };

/// One endless answer that is under way.
struct Endless(Arc<AtomicUsize>);

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Served {
    addr: SocketAddr,
    endless: Arc<AtomicUsize>,
    server: JoinSet<()>,
}

async fn served(limits: Limits) -> Served {
    let endless = Arc::new(AtomicUsize::new(0));
    let stream = |State(endless): State<Arc<AtomicUsize>>| async move {
        endless.fetch_add(1, Ordering::SeqCst);
        let alive = Endless(endless);
        Body::from_stream(stream::repeat_with(move || {
            let _ = &alive;
            Ok::<_, Infallible>(vec![b'x'; 64 * 1024])
        }))
    };
    let slow = || async {
        tokio::time::sleep(SHORT * 4).await;
        "late"
    };
    let app = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/endless", get(stream))
        .route("/slow", get(slow))
        .with_state(endless.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move { match serve(listener, app, limits).await {} });
    Served { addr, endless, server }
}

impl Served {
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The whole answer to a request on a connection of its own.
    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        rest(self.send(&request).await).await
    }

    async fn await_endless(&self, count: usize) {
        let so = async {
            while self.endless.load(Ordering::SeqCst) != count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, so).await.unwrap_or_else(|_| panic!("never {count} endless answers"));
    }
}

/// All that comes until the server closes. How it closes is its own affair.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut text)).await.expect("the server closes it");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn half_a_request_and_an_idle_connection_are_closed_in_time() {
    let served = served(Limits { head: SHORT, ..PATIENT }).await;
    assert_eq!(rest(served.send("GET / HTTP/1.1\r\nhost:").await).await, "");
    assert_eq!(rest(served.send("").await).await, "");
    let idle = rest(served.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert!(idle.starts_with("HTTP/1.1 200") && idle.ends_with("here"), "{idle}");
}

#[tokio::test]
async fn a_flood_of_half_requests_makes_room_for_whole_ones() {
    let served = served(PATIENT).await;
    let mut half = Vec::new();
    for i in 0..200 {
        half.push(served.send("GET / HTTP/1.1\r\n").await);
        if i % 50 == 0 {
            assert!(served.get("/").await.ends_with("here"));
        }
    }
    assert!(served.get("/").await.ends_with("here"));
    // The limit on time is never; so it is the bound on their number that closes them, the oldest first.
    for old in half.into_iter().take(200 - PATIENT.connections) {
        assert_eq!(rest(old).await, "");
    }
}

#[tokio::test]
async fn who_has_an_answer_under_way_is_never_closed_for_a_new_one() {
    let served = served(Limits { connections: 2, ..PATIENT }).await;
    let request = "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    let (first, _second) = (served.send(request).await, served.send(request).await);
    served.await_endless(2).await;
    let third = served.get("/").await;
    assert!(third.starts_with("HTTP/1.1 503") && third.contains("retry-after"), "{third}");
    assert_eq!(served.endless.load(Ordering::SeqCst), 2);
    drop(first);
    served.await_endless(1).await;
    let room = async { while !served.get("/").await.ends_with("here") {} };
    tokio::time::timeout(LIMIT, room).await.expect("there is room again");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_and_what_it_was_made_from_with_it() {
    let served = served(Limits { stall: SHORT, ..PATIENT }).await;
    let reader = served.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    served.await_endless(1).await;
    served.await_endless(0).await;
    assert!(rest(reader).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_answer_that_takes_its_time_is_not_cut_off() {
    let served = served(Limits { stall: SHORT, head: SHORT, ..PATIENT }).await;
    assert!(served.get("/slow").await.ends_with("late"));
}

#[tokio::test]
async fn dropping_the_server_ends_every_answer() {
    let mut served = served(PATIENT).await;
    let _reader = served.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    served.await_endless(1).await;
    served.server.shutdown().await;
    served.await_endless(0).await;
}
