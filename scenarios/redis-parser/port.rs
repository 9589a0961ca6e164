//! Parses the first command in a task, takes it and drops the channel: the line by line port from Go.
//!
//! A store that speaks Redis's protocol writes down what its clients ask first.
//!
//! Run it: `cargo run --bin redis-parser-port`
//!
//! You will see the count come back: a parser whose receiver is dropped is told so.

mod world;

use std::{
    collections::HashMap,
    io::Cursor,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use resp::{End, Frame, Frames, Store};
use tokio::{
    io::AsyncRead,
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
        let known = front.clone();
        stage.gauge("known", move || known.known());
        let client = async |n| visit(store, n).await.map(drop);
        stage.load(client).await;
        Ok((front, server))
    })
}

/// Where a client's first command must end, to be written down.
const FIRST_MAX: usize = 4096;
/// A client that says nothing for this long is let go.
const SILENT_MAX: Duration = Duration::from_secs(10);

// ANCHOR: service
/// The store's front: one session a client, until it expires.
#[derive(Default)]
struct Front {
    store: Store,
    sessions: Mutex<HashMap<u64, Session>>,
}

struct Session {
    /// What the client asked first.
    first: String,
}

impl Front {
    async fn client(&self, id: u64, socket: TcpStream) -> Result<()> {
        let mut bytes = vec![0; FIRST_MAX];
        let peek = socket.peek(&mut bytes);
        let length = timeout(SILENT_MAX, peek).await??;
        self.greet(id, &bytes[..length]).await?;
        resp::answer(&self.store, socket).await
    }

    /// Writes down what a client asks first.
    async fn greet(&self, id: u64, bytes: &[u8]) -> Result<()> {
        let mut commands = parse(Cursor::new(bytes.to_vec()));
        let first = commands.recv().await.context("no parser")?;
        let first = first.map(|first| first.name())?;
        // FIX: the receiver ends here; the parser's send fails.
        drop(commands);
        let session = Session { first };
        self.sessions.lock().unwrap().insert(id, session);
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
        let server = resp::serve(listener, move |id, socket| {
            let front = self.clone();
            async move { front.client(id, socket).await }
        });
        Ok((server, address))
    }

    /// Clients of whom something is written down.
    fn known(&self) -> u64 {
        let sessions = self.sessions.lock().unwrap();
        let known = |one: &&Session| !one.first.is_empty();
        sessions.values().filter(known).count() as u64
    }
}
