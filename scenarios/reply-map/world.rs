//! The outside world: a warehouse that answers some questions late and some never, and customers who do not wait for ever.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    select,
    sync::{Mutex, Notify, mpsc},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Questions that may wait to be written.
const OUTBOX: usize = 64;
/// How long somebody waits for an answer that does not come.
const SHORT: Duration = Duration::from_millis(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// How many are there of this article? And how long the customer waits for the answer.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) article: u32,
    pub(crate) patience: Duration,
}

/// Which of its questions the warehouse answers: by the last two bits of the article.
const NOW: u32 = 0;
/// Together with the next question that it answers.
const LATE: u32 = 1;
const NEVER: u32 = 2;

/// What goes over the line in both directions: a number, and an article or its stock.
pub(crate) fn frame(id: u32, word: u32) -> u64 {
    u64::from(id) << 32 | u64::from(word)
}

pub(crate) fn parts(frame: u64) -> (u32, u32) {
    ((frame >> 32) as u32, frame as u32)
}

/// As many as there are.
fn stock(article: u32) -> u32 {
    article.rotate_left(7)
}

/// The warehouse, and the books on what its customers were told.
pub(crate) struct Warehouse {
    addr: SocketAddr,
    books: Arc<Books>,
    /// Customers come one after the other, so that every run takes the same turns.
    turn: Mutex<()>,
    _line: AbortOnDropHandle<Result<()>>,
}

#[derive(Default)]
struct Books {
    /// The warehouse has a question that it will not answer. It signals, and the customer who hangs up waits.
    unanswered: Notify,
    misled: AtomicU64,
}

impl Warehouse {
    pub(crate) async fn open() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (addr, books) = (listener.local_addr()?, Arc::default());
        let line = tokio::spawn(serve(listener, Arc::clone(&books)));
        let _line = AbortOnDropHandle::new(line);
        Ok(Self { addr, books, turn: Mutex::default(), _line })
    }

    /// A line: what is sent into the first is written, and the second is to be read.
    pub(crate) async fn call(
        &self,
    ) -> Result<(mpsc::Sender<u64>, OwnedReadHalf)> {
        let line = TcpStream::connect(self.addr).await?;
        line.set_nodelay(true)?;
        let (read_half, write_half) = line.into_split();
        let (outbox, questions) = mpsc::channel(OUTBOX);
        tokio::spawn(write(write_half, questions));
        Ok((outbox, read_half))
    }

    /// Four questions: the answer to the first comes too late, with the answer to the second. The third and the fourth have none: one
    /// customer waits a while, and one hangs up.
    pub(crate) async fn visit(
        &self,
        customer: u64,
        ask: impl AsyncFn(Question) -> Result<u32>,
        late: impl Fn() -> u64,
    ) -> Result<()> {
        let _turn = self.turn.lock().await;
        let late_before = late();
        let article = |kind| (customer as u32) << 2 | kind;
        let question = |kind, patience| Question {
            article: article(kind),
            patience,
        };
        let early = ask(question(LATE, SHORT)).await;
        ensure!(early.is_err(), "answered before it was asked");
        let told = ask(question(NOW, LIMIT)).await?;
        if told != stock(article(NOW)) {
            self.books.misled.fetch_add(1, Ordering::Relaxed);
        }
        // Goes on when the shop has read all that the warehouse has sent: one of the two replies found nobody.
        let read = async {
            while late() == late_before {
                sleep(PAUSE).await;
            }
        };
        timeout(LIMIT, read).await?;
        let never = ask(question(NEVER, SHORT)).await;
        ensure!(never.is_err(), "an answer out of nowhere");
        self.books.unanswered.notified().await;
        select! {
            biased;
            told = ask(question(NEVER, LIMIT)) => {
                ensure!(told.is_err(), "an answer out of nowhere");
            }
            // Hangs up: the future of the question is dropped.
            () = self.books.unanswered.notified() => {}
        }
        Ok(())
    }

    /// Customers who were told the stock of another article.
    pub(crate) fn show(&self, stage: &stage::Stage) {
        let books = self.books.clone();
        stage.gauge("misled", move || {
            books.misled.load(Ordering::Relaxed)
        });
    }
}

/// Serves the one line that the shop has.
async fn serve(
    listener: TcpListener,
    books: Arc<Books>,
) -> Result<()> {
    let (mut line, _) = listener.accept().await?;
    line.set_nodelay(true)?;
    let mut late = Vec::new();
    loop {
        let (id, article) = parts(line.read_u64().await?);
        match article & 3 {
            LATE => late.push((id, article)),
            NEVER => books.unanswered.notify_one(),
            _ => {
                late.push((id, article));
                for (id, article) in late.drain(..) {
                    line.write_u64(frame(id, stock(article))).await?;
                }
            }
        }
    }
}

/// A task of its own, so that nobody who hangs up leaves half a question on the line.
async fn write(
    mut line: OwnedWriteHalf,
    mut outbox: mpsc::Receiver<u64>,
) -> Result<()> {
    while let Some(question) = outbox.recv().await {
        line.write_u64(question).await?;
    }
    Ok(())
}
