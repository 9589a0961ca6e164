//! The console server, run so that no event is lost.
//!
//! The stock server drains its event queue inside a tokio task, where tokio's cooperative budget ends every drain after 128
//! events: a burst of spawns is then shown tick by tick, or never. Here the aggregator runs under
//! [`tokio::task::unconstrained`], which lifts that budget. It is public so that *Reading the instruments* measures this
//! very server, and no copy of it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::Context;
use console_subscriber::{ConsoleLayer, Server};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tracing_subscriber::{filter::FilterFn, prelude::*};

/// How often the console hears of changes.
pub const PUBLISH_INTERVAL: Duration = Duration::from_millis(250);
/// Finished tasks are kept this long; the stock hour makes a fix look as heavy as its leak.
pub const RETENTION: Duration = Duration::from_secs(5);
/// The histograms' upper end: at the stock second a task costs 53 KB under the console, at a millisecond 33 KB.
pub const HISTOGRAM_MAX: Duration = Duration::from_millis(1);

/// A bound console port with its server, not yet running.
pub struct Console {
    /// Where it listens: the port that was asked for, or the free one that was found.
    pub addr: SocketAddr,
    listener: TcpListener,
    server: Server,
}

/// Binds the port and installs the tracing layer; call before the runtime is built.
///
/// # Errors
/// When the port is taken. The stock server notices that on a thread of its own, after the program went on without it.
pub fn bind(addr: SocketAddr) -> anyhow::Result<Console> {
    let listener = TcpListener::bind(addr).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "console port {addr} is taken: end the program that holds it, or pass `--console 127.0.0.1:0` (any free port) or `--no-console`"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen for the console on {addr}")),
    })?;
    listener.set_nonblocking(true)?;
    let (layer, server) = ConsoleLayer::builder()
        .poll_duration_histogram_max(HISTOGRAM_MAX)
        .scheduled_duration_histogram_max(HISTOGRAM_MAX)
        .retention(RETENTION)
        .publish_interval(PUBLISH_INTERVAL)
        .build();
    // What the console listens to: tokio's own spans and events, nothing of the service's.
    let tokio_only = FilterFn::new(|meta| {
        let of_runtime = if meta.is_event() { meta.target() } else { meta.name() };
        of_runtime.starts_with("runtime") || meta.target().starts_with("tokio")
    });
    tracing_subscriber::registry()
        .with(layer.with_filter(tokio_only))
        .try_init()
        .context("tracing is set up already")?;
    Ok(Console { addr: listener.local_addr()?, listener, server })
}

impl Console {
    /// Serves for ever; `attached` is cancelled when the first client connects. Call it inside [`unwatched`].
    ///
    /// # Errors
    /// When the system gives no thread, or the server fails.
    pub async fn serve(self, attached: CancellationToken) -> anyhow::Result<()> {
        let parts = self.server.into_parts();
        // A thread of its own: while events come faster than it reads, the aggregator never pauses, and nothing beside it runs.
        let (up, is_up) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("console".into())
            .spawn(move || {
                unwatched(async {
                    let _ = up.send(());
                    tokio::task::unconstrained(parts.aggregator.run()).await;
                });
            })
            .context("cannot start a thread")?;
        // The thread's runtime opens descriptors: nobody may count before they are there.
        is_up.recv().context("the console's thread ended")?;
        let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(self.listener)?);
        tonic::transport::Server::builder()
            .add_service(parts.instrument_server)
            .serve_with_incoming(incoming.inspect(move |_| attached.cancel()))
            .await
            .context("the console server failed")
    }
}

/// Runs `work` on a runtime of its own that the console does not watch.
pub fn unwatched(work: impl Future<Output = ()>) {
    let _unwatched = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => eprintln!("cannot watch the run: {error}"),
    }
}
