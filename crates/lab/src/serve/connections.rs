//! Connections: how many, how long each may make the server wait, and what happens when descriptors run out.
//!
//! A connection that only waits can be had back at any time, so the one that waited longest makes room for a new one. A page
//! and a run are never cut off for that.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use futures_util::FutureExt;
use hyper::{body::Frame, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, Id, JoinSet},
};
use tower::ServiceExt;

use super::patient::Patient;

/// A browser opens six connections, whatever the number of tabs.
const CONNECTIONS_MAX: u64 = 256;
/// Of the descriptors that this process may have, connections get one in so many: pages and programs need some too.
const DESCRIPTORS_EACH: u64 = 4;
const CONNECTIONS_MIN: u64 = 4;
/// A head of a request is a few lines. This is also how long an idle connection stays.
const HEAD_LIMIT: Duration = Duration::from_secs(20);
/// A client that takes nothing of its answer for so long is gone or stuck. The run that it asked for ends then.
const STALL_LIMIT: Duration = Duration::from_secs(30);
/// The system has no descriptor: look again after this.
const BACK_OFF: Duration = Duration::from_millis(100);
/// To whom there is no room for.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// In [`Usage`]: a request is under way.
const BUSY: u64 = u64::MAX;

/// What a client may ask of this server's patience.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) head: Duration,
    pub(super) stall: Duration,
}

impl Limits {
    /// For this process, which may have been given few descriptors.
    pub(super) fn of_this_process() -> Self {
        let connections = descriptors().map_or(CONNECTIONS_MAX, |all| all / DESCRIPTORS_EACH);
        let connections = connections.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX) as usize;
        Self { connections, head: HEAD_LIMIT, stall: STALL_LIMIT }
    }
}

#[cfg(unix)]
fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn descriptors() -> Option<u64> {
    None
}

/// Answers for ever. Dropping the future closes every connection, and ends what its answer was about to do.
pub(super) async fn serve(listener: TcpListener, app: Router, limits: Limits) -> Infallible {
    let mut open =
        Open { app, limits, tasks: JoinSet::new(), lines: HashMap::new(), clock: Arc::default(), full: false };
    let mut starved = false;
    loop {
        tokio::select! {
            Some(ended) = open.tasks.join_next_with_id() => open.forget(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    starved = false;
                    open.take(stream);
                }
                Err(error) => {
                    if !starved {
                        eprintln!("cannot take a connection: {error}; {} are open, going on", open.lines.len());
                    }
                    starved = true;
                    open.make_room();
                    tokio::time::sleep(BACK_OFF).await;
                }
            },
        }
    }
}

/// All connections. Their tasks end with it.
struct Open {
    app: Router,
    limits: Limits,
    tasks: JoinSet<()>,
    lines: HashMap<Id, (AbortHandle, Usage)>,
    clock: Arc<AtomicU64>,
    /// The limit was reached and told.
    full: bool,
}

impl Open {
    fn take(&mut self, stream: TcpStream) {
        let (open, most) = (self.lines.len(), self.limits.connections);
        if open >= most && !self.full {
            eprintln!("{open} connections are open, and no more will be: a new one takes the place of an idle one");
        }
        // Told again only after it was quiet: a flood of connections is no flood of lines.
        self.full = open >= most || (self.full && open > most / 2);
        if open >= most && !self.make_room() {
            // Its buffer is empty, so it takes these few bytes; whoever does not get them sees the end.
            let _ = stream.try_write(NO_ROOM);
            return;
        }
        let usage = Usage { since: Arc::new(AtomicU64::new(0)), clock: self.clock.clone() };
        usage.rest();
        let task = self.tasks.spawn(talk(stream, self.app.clone(), usage.clone(), self.limits));
        self.lines.insert(task.id(), (task, usage));
    }

    /// Closes the connection that has waited longest; false when all have something to do.
    fn make_room(&mut self) -> bool {
        let waiting = self.lines.iter().map(|(id, (_, usage))| (usage.since(), *id));
        let Some((_, id)) = waiting.filter(|(since, _)| *since != BUSY).min_by_key(|(since, _)| *since) else {
            return false;
        };
        if let Some((task, _)) = self.lines.remove(&id) {
            task.abort();
        }
        true
    }

    fn forget(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.lines.remove(&id);
    }
}

/// One connection, until the client closes it or is too slow.
async fn talk(stream: TcpStream, app: Router, usage: Usage, limits: Limits) {
    let io = TokioIo::new(Patient::new(stream, limits.stall));
    let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let busy = Busy::new(&usage);
        let answer = app.clone().oneshot(Request::from(request.map(Body::new)));
        answer.map(|answer| answer.map(|answer| answer.map(|body| Answer { body, _busy: busy })))
    });
    // A client that left or sent nonsense is no news.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(io, answer)
        .await;
}

/// Since when a connection waits for a request, counted in requests; [`BUSY`] when it does not.
#[derive(Clone)]
struct Usage {
    since: Arc<AtomicU64>,
    clock: Arc<AtomicU64>,
}

impl Usage {
    fn rest(&self) {
        self.since.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }
}

/// While this lives a connection is not closed for another.
struct Busy(Usage);

impl Busy {
    fn new(usage: &Usage) -> Self {
        usage.since.store(BUSY, Ordering::Relaxed);
        Self(usage.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

/// An answer's body. The connection is busy until all of it is sent.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for Answer {
    type Data = <Body as hyper::body::Body>::Data;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// The error of a system or process that has no descriptor left.
pub(super) fn no_descriptor(error: &io::Error) -> bool {
    // EMFILE and ENFILE, the same on every Unix.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests;
