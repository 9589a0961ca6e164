//! Parses the whole connection in a task, and drops the channel when the client has been silent for long enough.
//!
//! A store that speaks Redis's protocol. Its clients have pools: they keep their connections, and say no more on them.
//!
//! Run it: `cargo run --bin redis-parser-wrong-socket`
//!
//! You will see one task and two sockets more after every client: nobody tells the parser that its reader has left.

mod world;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use resp::{End, Frame, Frames, Store};
use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use world::{ANY_PORT, visit};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let front = Arc::new(Front::default());
        let (server, store) = front.clone().open().await?;
        // The clients' pool: it keeps what it has opened.
        let pool = Mutex::new(Vec::new());
        let client = async |n| {
            let connection = visit(store, n).await?;
            pool.lock().unwrap().push(connection);
            Ok(())
        };
        stage.load(client).await;
        Ok((front, server, pool))
    })
}

/// A client that says nothing for this long is let go. Redis has
/// the same setting, `timeout`.
const SILENT_MAX: Duration = Duration::from_secs(1);
/// A client that takes no reply for this long is let go.
const TAKE_MAX: Duration = Duration::from_secs(10);

// ANCHOR: service
/// The store's front.
#[derive(Default)]
struct Front {
    store: Store,
}

impl Front {
    async fn client(&self, socket: TcpStream) -> Result<()> {
        let (read, mut write) = socket.into_split();
        let mut commands = parse(read);
        let mut reply = Vec::new();
        while let Ok(Some(Ok(command))) =
            timeout(SILENT_MAX, commands.recv()).await
        {
            reply.clear();
            if let Some(frame) = self.store.run(&command) {
                frame.encode(&mut reply);
            }
            let sent = timeout(TAKE_MAX, write.write_all(&reply));
            sent.await.context("replies are not taken")??;
        }
        // Silent for too long, gone, or no client of ours.
        Ok(())
    }
}

/// Commands from anything that gives bytes, and then its end.
/// The parser sends; the caller receives, and may drop it.
fn parse(
    source: impl AsyncRead + Unpin + Send + 'static,
) -> mpsc::Receiver<Result<Frame, End>> {
    let (tx, rx) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut commands = Frames::commands(source);
        loop {
            // LEAK: a quiet socket: no command, so no send fails.
            let command = commands.next().await;
            let ended = command.is_err();
            if tx.send(command).await.is_err() || ended {
                return;
            }
        }
    });
    rx
}
// ANCHOR_END: service

impl Front {
    /// Opens the door on any port. The server ends with the set.
    async fn open(
        self: Arc<Self>,
    ) -> Result<(JoinSet<()>, SocketAddr)> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let address = listener.local_addr()?;
        let server = resp::serve(listener, move |_, socket| {
            let front = self.clone();
            async move { front.client(socket).await }
        });
        Ok((server, address))
    }
}
