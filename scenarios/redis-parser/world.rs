//! The outside world: clients that connect, send everything they want in one write, read the replies and leave.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use resp::{Frame, Frames};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// Any free port.
pub(crate) const ANY_PORT: (&str, u16) = ("127.0.0.1", 0);

/// No client waits longer for all of its replies.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What client number `client` sends: a `SET` with its `EXPIRE`; every fifth loads 35 of them.
fn pipeline(client: u64) -> (usize, Vec<u8>) {
    let (pairs, mut bytes) =
        (if client % 5 == 4 { 35 } else { 1 }, Vec::new());
    for pair in 0..pairs {
        let key = format!("visits:{client}:{pair}");
        command(&["SET", &key, "1"]).encode(&mut bytes);
        command(&["EXPIRE", &key, "60"]).encode(&mut bytes);
    }
    (2 * pairs, bytes)
}

fn command(words: &[&str]) -> Frame {
    let bulk = |word: &&str| Frame::Bulk(word.as_bytes().to_vec());
    Frame::Array(words.iter().map(bulk).collect())
}

/// A whole visit. The connection is returned as it is: who keeps it is a client with a pool.
pub(crate) async fn visit(
    store: SocketAddr,
    client: u64,
) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(store).await?;
    let (count, bytes) = pipeline(client);
    let visit = async {
        socket.write_all(&bytes).await?;
        let mut replies = Frames::replies(&mut socket);
        for _ in 0..count {
            let reply = replies.next().await?;
            let refused = matches!(reply, Frame::Error(_));
            anyhow::ensure!(!refused, "refused: {reply:?}");
        }
        Ok(())
    };
    timeout(ANSWER_MAX, visit).await.context("no answer")??;
    Ok(socket)
}
