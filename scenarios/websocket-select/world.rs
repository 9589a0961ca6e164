//! The outside world: a match with few goals, and fans who look at the score and leave.

use std::{env, net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{client_async, tungstenite::Message};

/// Fans at once.
const FANS_MAX: usize = 10_000;
/// When the system has no more descriptors, try again after this long.
const PAUSE: Duration = Duration::from_millis(100);
/// A visit takes no longer.
const LIMIT: Duration = Duration::from_secs(20);
/// Set to an address, it makes the program wait there for real fans instead of its own.
const LISTEN: &str = "WEBSOCKET_SELECT_LISTEN";

/// Who comes: our own fans, or whoever connects.
pub(crate) struct Fans {
    addr: SocketAddr,
    are_real: bool,
}

/// Opens the page: on a free port for our own fans, at the address in `WEBSOCKET_SELECT_LISTEN` for real ones.
pub(crate) async fn open() -> anyhow::Result<(TcpListener, Fans)> {
    let asked = env::var(LISTEN).ok();
    let at = asked.as_deref().unwrap_or("127.0.0.1:0");
    let listener = TcpListener::bind(at)
        .await
        .with_context(|| format!("cannot listen at {at}"))?;
    let addr = listener.local_addr()?;
    if asked.is_some() {
        eprintln!(
            "run `new WebSocket('ws://{addr}/')` in a browser's console; Ctrl-C ends the match"
        );
    }
    Ok((listener, Fans { addr, are_real: asked.is_some() }))
}

/// Serves every connection in a task of its own, for as long as this is polled.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut fans = JoinSet::new();
    loop {
        let has_room = fans.len() < FANS_MAX;
        tokio::select! {
            accepted = listener.accept(), if has_room => match accepted {
                Ok((socket, _)) => drop(fans.spawn(serve(socket))),
                Err(_) => sleep(PAUSE).await,
            },
            // One that failed has hurt nobody but itself.
            Some(_) = fans.join_next() => {}
        }
    }
}

impl Fans {
    pub(crate) async fn visit(&self) -> anyhow::Result<()> {
        if self.are_real {
            // As long as people like. Ctrl-C ends it.
            std::future::pending::<()>().await;
        }
        let socket = TcpStream::connect(self.addr).await;
        visit(socket.context("cannot connect")?).await
    }
}

/// Comes, sees the score, says goodbye and waits for the answer.
pub(crate) async fn visit<S>(socket: S) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let visit = async {
        let (mut page, _) =
            client_async("ws://page/", socket).await?;
        let score = page.next().await.context("no score")??;
        ensure!(score == Message::text("0:0"), "it says {score}");
        page.close(None).await?;
        let goodbye = page.next().await.context("no goodbye")??;
        ensure!(goodbye.is_close(), "it says {goodbye}");
        Ok(())
    };
    timeout(LIMIT, visit).await.context("too long a visit")?
}
