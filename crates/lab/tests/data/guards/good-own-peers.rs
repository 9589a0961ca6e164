// guards: names exercises/upload-scan/start.rs:
use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use crate::{Finding, Gateway};

#[leakcheck::test(allow = "exercises/upload-scan/guard.rs")]
async fn engines_that_all_object_are_all_heard() {
    let gateway = Gateway::new(vec![engine().await, engine().await, engine().await]);
    let scans = leakcheck::scope();
    assert_eq!(gateway.scan(1, "content").await.unwrap(), Finding::Infected("BAD".to_owned()));
    scans.assert().await;
}

async fn engine() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mut stream, mut question) = (BufReader::new(stream), String::new());
            if stream.read_line(&mut question).await.is_ok() {
                let _ = stream.write_all(b"FOUND BAD\n").await;
            }
        }
    });
    address
}
