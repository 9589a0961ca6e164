//! How a connection becomes a member: it is accepted, the handshake is made, and the first message names a room.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use futures_util::{Sink, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

/// Members at once, of all rooms together.
const CONNECTIONS_MAX: usize = 1_000;
/// From the first byte to the name of the room.
const HELLO_MAX: Duration = Duration::from_secs(10);
/// Bytes in the name of a room.
const ROOM_MAX: usize = 100;
/// Bytes in a message: a picture from a phone.
pub(crate) const MESSAGE_MAX: usize = 512 * 1024;
/// Bytes that the system keeps for a member who does not read. Left
/// to itself it takes megabytes, and a member who is gone looks well.
const SYSTEM_QUEUE: u32 = 64 * 1024;
/// When the system has no more descriptors, try again after this long.
const PAUSE: Duration = Duration::from_millis(100);

/// What is said to a member.
pub(crate) type Line =
    Box<dyn Sink<Message, Error = Error> + Send + Unpin>;
/// What a member says.
pub(crate) type Words =
    Box<dyn Stream<Item = Result<Message, Error>> + Send + Unpin>;

pub(crate) fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Sockets that are accepted inherit it.
    socket.set_send_buffer_size(SYSTEM_QUEUE)?;
    socket.bind(at)?;
    socket.listen(1_024)
}

/// Serves every connection in a task of its own, for as long as this is polled.
pub(crate) async fn open<F>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            accepted = listener.accept(), if has_room => match accepted {
                Ok((socket, _)) => drop(connections.spawn(serve(socket))),
                Err(_) => sleep(PAUSE).await,
            },
            // One that failed has hurt nobody but itself.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The handshake, and the name of the room.
pub(crate) async fn enter<S>(
    socket: S,
) -> anyhow::Result<(String, Line, Words)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let hello = async {
        let limits = Some(limits());
        let mut socket =
            accept_async_with_config(socket, limits).await?;
        let first = socket.next().await.context("no room")??;
        let room = first.into_text()?.to_string();
        ensure!(room.len() <= ROOM_MAX, "too long a name");
        Ok((room, socket))
    };
    let (room, socket) = timeout(HELLO_MAX, hello).await??;
    let (line, words) = socket.split();
    Ok((room, Box::new(line), Box::new(words)))
}

/// tungstenite's own limit for what waits to be written is none.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_MAX)
}
