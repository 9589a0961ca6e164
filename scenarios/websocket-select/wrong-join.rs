//! Waits for both tasks, so that neither is forgotten.
//!
//! A score page keeps a WebSocket open for every fan: one task sends the score, one hears the cheers. Goals are rare.
//!
//! Run it: `cargo run --bin websocket-select-wrong-join`
//!
//! You will see two tasks and one socket more after every visit.

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let game = Game::default();
        let (listener, fans) = world::open().await?;
        let (mut door, here) = (JoinSet::new(), game.clone());
        let serve = move |socket| here.clone().serve(socket);
        door.spawn(world::accept(listener, serve));
        stage.load(async |_| fans.visit().await).await;
        Ok((door, game))
    })
}

// ANCHOR: service
/// Bytes in a cheer.
const CHEER_MAX: usize = 1_000;

#[derive(Clone)]
struct Game {
    /// The referee sends, a task for each fan receives. Every
    /// fan's task has a copy, and the last one closes.
    score: Arc<watch::Sender<String>>,
}

impl Game {
    /// A fan, from the handshake to the end of the connection.
    async fn serve<S>(self, socket: S) -> anyhow::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let limits = WebSocketConfig::default()
            .max_message_size(Some(CHEER_MAX))
            .max_write_buffer_size(2 * CHEER_MAX)
            .write_buffer_size(0);
        let socket =
            accept_async_with_config(socket, Some(limits)).await?;
        let (sink, stream) = socket.split();
        let sender = tokio::spawn(send(sink, self.score.subscribe()));
        let hearer = tokio::spawn(hear(stream));
        // LEAK: one of the two tasks waits for the next goal.
        let (sent, heard) = tokio::join!(sender, hearer);
        sent?.and(heard?)
    }
}

/// The score of now, and every one that follows.
async fn send<S>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    mut score: watch::Receiver<String>,
) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let now = score.borrow_and_update().clone();
        sink.send(Message::text(now)).await?;
        score.changed().await.context("the match is over")?;
    }
}

/// Cheers, until the fan leaves.
async fn hear<S>(
    mut stream: SplitStream<WebSocketStream<S>>,
) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(cheer) = stream.next().await {
        cheer?;
    }
    Ok(())
}
// ANCHOR_END: service

impl Default for Game {
    fn default() -> Self {
        Self { score: Arc::new(watch::Sender::new("0:0".into())) }
    }
}
