//! The provider that takes the pushes, and a connection to it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{ANY_PORT, LIMIT};

/// After this many pushes of a new batch the SIGTERM comes.
const HALF: usize = 4;

/// A connection to the provider: a line a push, a line an answer.
struct Line {
    answers: Lines<BufReader<OwnedReadHalf>>,
    pushes: OwnedWriteHalf,
}

impl Line {
    pub(crate) async fn open(
        provider: SocketAddr,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(provider)
            .await
            .context("the provider is away")?;
        stream.set_nodelay(true)?;
        let (answers, pushes) = stream.into_split();
        Ok(Self { answers: BufReader::new(answers).lines(), pushes })
    }

    /// Returns when the provider has taken it.
    pub(crate) async fn push(
        &mut self,
        id: u64,
    ) -> anyhow::Result<()> {
        self.pushes
            .write_all(format!("push {id}\n").as_bytes())
            .await?;
        let answer = self.answers.next_line().await?;
        ensure!(
            answer.as_deref() == Some("taken"),
            "not taken: {answer:?}"
        );
        Ok(())
    }
}

/// Pushes one after the other and counts in `pushed`: whoever stops waiting knows how many were taken.
pub(crate) async fn push_all(
    provider: SocketAddr,
    ids: &[u64],
    pushed: &mut usize,
) -> anyhow::Result<()> {
    let mut line = Line::open(provider).await?;
    for id in ids {
        line.push(*id).await?;
        *pushed += 1;
    }
    Ok(())
}

/// The provider: on its side it is seen what was pushed twice.
pub(crate) struct Provider {
    pub(crate) addr: SocketAddr,
    books: Arc<Books>,
    /// Owns the task that answers: it ends with the provider.
    _task: JoinSet<()>,
}

/// What the provider writes down.
pub(crate) struct Books {
    taken: Mutex<HashMap<u64, u64>>,
    repeated: AtomicU64,
    lines: AtomicU64,
    /// The provider says that half of a new batch is there; the caller waits.
    half: Notify,
    /// The world counts starts of the service; a thinking provider watches. Open as long as the books are.
    starts: watch::Sender<u64>,
    pace: Pace,
}

/// How long the provider takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// For the push in the middle of a new batch, if nobody starts a new instance before.
    pub(crate) middle: Duration,
    /// For any other.
    pub(crate) other: Duration,
}

impl Provider {
    pub(crate) async fn start(pace: Pace) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let addr = listener.local_addr()?;
        let books = Arc::new(Books {
            taken: Mutex::default(),
            repeated: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            half: Notify::new(),
            starts: watch::Sender::new(0),
            pace,
        });
        let mut task = JoinSet::new();
        task.spawn(books.clone().take_all(listener));
        Ok(Self { addr, books, _task: task })
    }

    pub(crate) fn books(&self) -> Arc<Books> {
        self.books.clone()
    }
}

impl Books {
    async fn take_all(self: Arc<Self>, listener: TcpListener) {
        let mut lines = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => drop(lines.spawn(self.clone().take(stream))),
                Some(_) = lines.join_next() => {}
            }
        }
    }

    async fn take(self: Arc<Self>, stream: TcpStream) {
        self.lines.fetch_add(1, Ordering::SeqCst);
        let _ = self.answer(stream).await;
        self.lines.fetch_sub(1, Ordering::SeqCst);
    }

    async fn answer(
        &self,
        mut stream: TcpStream,
    ) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let (pushes, mut answers) = stream.split();
        let (mut pushes, mut place) =
            (BufReader::new(pushes).lines(), 0);
        while let Some(push) = pushes.next_line().await? {
            let id = push
                .strip_prefix("push ")
                .context("not a push")?
                .parse()?;
            let times = *self
                .taken
                .lock()
                .unwrap()
                .entry(id)
                .and_modify(|times| *times += 1)
                .or_insert(1);
            place += 1;
            if times > 1 {
                self.repeated.fetch_add(1, Ordering::SeqCst);
            }
            if times == 1 && place == HALF {
                let mut starts = self.starts.subscribe();
                self.half.notify_one();
                let _ =
                    timeout(self.pace.middle, starts.changed()).await;
            } else {
                sleep(self.pace.other).await;
            }
            answers.write_all(b"taken\n").await?;
        }
        Ok(())
    }

    /// Pushes of something that had been pushed before.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::SeqCst)
    }

    /// Whether somebody is pushing.
    pub(crate) fn in_a_batch(&self) -> bool {
        self.lines.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.taken.lock().unwrap().contains_key(&id)
    }

    /// A new instance of the service is up.
    pub(crate) fn started(&self) {
        self.starts.send_modify(|starts| *starts += 1);
    }

    /// Waits until half of a new batch has been pushed.
    pub(crate) async fn half(&self) -> anyhow::Result<()> {
        timeout(LIMIT, self.half.notified())
            .await
            .context("no batch came")
    }

    /// Waits until all of `ids` are here and nobody is pushing.
    pub(crate) async fn have_all(
        &self,
        ids: impl IntoIterator<Item = u64>,
    ) -> anyhow::Result<()> {
        let ids: Vec<_> = ids.into_iter().collect();
        let all = async {
            while !ids.iter().all(|id| self.has(*id))
                || self.in_a_batch()
            {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, all).await.context("a notification is lost")
    }
}
