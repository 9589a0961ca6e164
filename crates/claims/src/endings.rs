//! Claims about ends: of a connection, and of a task that panics.

use std::{
    collections::HashMap, io::ErrorKind::WouldBlock,
    panic::resume_unwind, sync::Arc,
};

use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::Barrier,
};

use crate::claim::{Claim, alive, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[
    Claim::steady(
        "connection-dropped",
        "a connection ends when its last handle drops; nobody calls close",
        || paused(connection_dropped()),
    ),
    Claim::steady(
        "connection-kept",
        "a handle in a registry keeps the connection open",
        || paused(connection_kept()),
    ),
    Claim::steady(
        "panic-at-boundary",
        "a panic ends its own task, and is told to who awaits it",
        || paused(panic_at_boundary()),
    ),
    Claim::steady(
        "panicked-peer",
        "whoever waits for the signal of a panicked task waits for ever",
        || paused(panicked_peer()),
    ),
];

async fn connected() -> anyhow::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

// ANCHOR: connection-dropped
/// Two tasks share a connection. When both are done, it closes.
async fn connection_dropped() -> anyhow::Result<Value> {
    let (client, mut server) = connected().await?;
    let client = Arc::new(client);
    for _ in 0..2 {
        let user = client.clone();
        tokio::spawn(async move { user.writable().await });
    }
    drop(client);
    let bytes = server.read(&mut [0; 1]).await?;
    Ok(json!({ "peer_read": bytes, "peer_saw_end": bytes == 0 }))
}
// ANCHOR_END: connection-dropped

// ANCHOR: connection-kept
/// The same connection, and an entry in a registry.
async fn connection_kept() -> anyhow::Result<Value> {
    let (client, mut server) = connected().await?;
    let client = Arc::new(client);
    let registry = HashMap::from([("generation 1", client.clone())]);
    drop(client);
    settle().await;
    let still_open = matches!(
        server.try_read(&mut [0; 1]),
        Err(error) if error.kind() == WouldBlock
    );
    drop(registry);
    let ended = server.read(&mut [0; 1]).await? == 0;
    Ok(json!({
        "still_open": still_open,
        "peer_saw_end_after_drop": ended,
    }))
}
// ANCHOR_END: connection-kept

// ANCHOR: panic-at-boundary
/// One task of two panics. The program goes on.
async fn panic_at_boundary() -> anyhow::Result<Value> {
    let other = tokio::spawn(std::future::ready(7));
    let task = tokio::spawn(async {
        resume_unwind(Box::new("bug")); // A panic, but silent.
    });
    let error = task.await.expect_err("it panicked");
    Ok(json!({
        "is_panic": error.is_panic(),
        "other_task_returned": other.await?,
    }))
}
// ANCHOR_END: panic-at-boundary

// ANCHOR: panicked-peer
/// Four tasks meet at a barrier; one panics on its way there.
async fn panicked_peer() -> anyhow::Result<Value> {
    let barrier = Arc::new(Barrier::new(4));
    for i in 0..4 {
        let barrier = barrier.clone();
        tokio::spawn(async move {
            if i == 0 {
                resume_unwind(Box::new("bug"));
            }
            barrier.wait().await;
        });
    }
    settle().await;
    Ok(json!({ "started": 4, "tasks_left": alive() }))
}
// ANCHOR_END: panicked-peer
