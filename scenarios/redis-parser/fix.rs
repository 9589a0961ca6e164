//! Parses the first command where it is needed: in the slice, with no task and no channel.
//!
//! A store that speaks Redis's protocol writes down what its clients ask first.
//!
//! Run it: `cargo run --bin redis-parser-fix`
//!
//! You will see the count rise while clients are served, and come back to where it started.

mod world;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use resp::{Store, borrow_command};
use tokio::{
    net::{TcpListener, TcpStream},
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
        // FIX: the bytes are parsed here; no task has to wait.
        let first = borrow_command(bytes)?;
        let (first, _) = first.context("half a command")?;
        let session = Session { first: first.name() };
        self.sessions.lock().unwrap().insert(id, session);
        Ok(())
    }
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

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn a_greeting_leaves_no_parser_behind() {
        let front = Front::default();
        let greetings = leakcheck::scope();
        for number in 0..30 {
            // Two commands; then nothing, half a one, or nonsense.
            let rest = ["", "*1\r\n$4", "*1\r\n:7\r\n"][number % 3];
            let bytes = format!("PING\r\nPING\r\n{rest}");
            let greet = front.greet(number as u64, bytes.as_bytes());
            greet.await.unwrap();
        }
        greetings.assert().await;
    }
    // ANCHOR_END: guard
}
