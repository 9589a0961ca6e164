//! The accept loop, and a client's conversation. Both are the same for every side.

use std::time::Duration;

use anyhow::Context;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{End, Frame, Frames, Store};

/// No more clients at once; whoever comes then waits in the system's queue.
const CLIENTS_MAX: usize = 1024;
/// A client that says nothing, or takes nothing, for this long is let go.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Replies to a pipeline are sent when so much has gathered, or when the client waits for them.
const REPLIES_MAX: usize = 64 * 1024;

/// Starts to give every connection a task and a number. All of it ends when the set is dropped.
pub fn serve<F>(
    listener: TcpListener,
    session: impl Fn(u64, TcpStream) -> F + Send + 'static,
) -> JoinSet<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut server = JoinSet::new();
    server.spawn(accept(listener, session));
    server
}

async fn accept<F>(
    listener: TcpListener,
    session: impl Fn(u64, TcpStream) -> F,
) where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (mut clients, mut number) = (JoinSet::new(), 0);
    loop {
        tokio::select! {
            Some(ended) = clients.join_next() => {
                if let Ok(Err(error)) = ended {
                    eprintln!("a client: {error:#}");
                }
            }
            Ok((socket, _)) = listener.accept(), if clients.len() < CLIENTS_MAX => {
                clients.spawn(session(number, socket));
                number += 1;
            }
        }
    }
}

/// Answers a client's commands until it leaves, falls silent or stops to speak the protocol.
///
/// # Errors
/// When the client went in the middle of something.
pub async fn answer(
    store: &Store,
    mut socket: TcpStream,
) -> anyhow::Result<()> {
    let (read, mut write) = socket.split();
    let (mut commands, mut replies) =
        (Frames::commands(read), Vec::new());
    loop {
        let (reply, last) =
            match timeout(IDLE_MAX, commands.next()).await {
                Err(_) | Ok(Err(End::Closed)) => return Ok(()),
                Ok(Err(end @ End::Protocol(_))) => {
                    (Some(Frame::error(end)), true)
                }
                Ok(Err(end)) => return Err(end.into()),
                Ok(Ok(command)) => {
                    (store.run(&command), command.name() == "QUIT")
                }
            };
        if let Some(reply) = reply {
            reply.encode(&mut replies);
        }
        if last
            || commands.is_drained()
            || replies.len() >= REPLIES_MAX
        {
            let sent =
                timeout(IDLE_MAX, write.write_all(&replies)).await;
            sent.context("the client does not take its replies")??;
            replies.clear();
        }
        if last {
            return Ok(());
        }
    }
}
