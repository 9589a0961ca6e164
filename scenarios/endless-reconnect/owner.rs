//! Lets the handles own the task, and the end of the last one abort it.
//!
//! A dashboard opens a feed for each screen: one exchange answers, another one is down.
//!
//! Run it: `cargo run --bin endless-reconnect-owner`
//!
//! You will see the count come back: nobody has to look.

mod world;

use std::{
    net::SocketAddr, process::ExitCode, sync::Arc, time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use world::{Connection, Exchanges, tries};

/// A viewer waits so long for a price, and then closes the screen.
const PATIENCE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let dashboard = Arc::new(Dashboard::open()?);
        stage.gauge("tries", tries);
        stage.load(async |_| dashboard.screen().await).await;
        Ok(dashboard)
    })
}

// ANCHOR: service
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A handle on a connection that comes back by itself.
#[derive(Clone)]
struct Feed {
    /// All handles send, the connection's task receives; the end
    /// of the last handle closes it.
    questions: mpsc::Sender<Question>,
    /// Aborts the task; the task itself has no handle.
    _task: Arc<AbortOnDropHandle<()>>,
}

struct Question {
    share: String,
    /// Used once by the task, or dropped with an error.
    answer: oneshot::Sender<u64>,
}

impl Feed {
    fn open(exchange: SocketAddr) -> Self {
        let (questions, asked) = mpsc::channel(8);
        // FIX: the last handle's end aborts it, wherever it waits.
        let task = tokio::spawn(run(exchange, asked));
        let task = AbortOnDropHandle::new(task);
        Self { questions, _task: Arc::new(task) }
    }

    async fn price(&self, share: &str) -> Result<u64> {
        let (answer, answered) = oneshot::channel();
        let share = share.to_owned();
        let question = Question { share, answer };
        self.questions.send(question).await?;
        answered.await.context("the exchange is down")
    }
}

/// One task for each feed, as long as there are handles.
async fn run(
    exchange: SocketAddr,
    mut asked: mpsc::Receiver<Question>,
) {
    loop {
        let connection = connect(exchange).await;
        if serve(connection, &mut asked).await.is_ok() {
            return;
        }
    }
}

/// Tries until it succeeds, after longer and longer pauses.
async fn connect(exchange: SocketAddr) -> Connection {
    let mut pause = PAUSE_MIN;
    loop {
        if let Ok(open) = Connection::open(exchange).await {
            return open;
        }
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

/// An error when the connection is lost; `Ok` when no handle is left.
async fn serve(
    mut connection: Connection,
    asked: &mut mpsc::Receiver<Question>,
) -> Result<()> {
    while let Some(question) = asked.recv().await {
        let price = connection.price(&question.share).await?;
        // An error means that nobody waits for it any more.
        let _ = question.answer.send(price);
    }
    Ok(())
}
// ANCHOR_END: service

struct Dashboard {
    exchanges: Exchanges,
}

impl Dashboard {
    fn open() -> Result<Self> {
        Ok(Self { exchanges: Exchanges::start()? })
    }

    /// A screen shows two prices, as far as they come, and is closed.
    async fn screen(&self) -> Result<()> {
        let feed = Feed::open(self.exchanges.open);
        ensure!(feed.clone().price("ACME").await? == 42);
        drop(feed);

        let feed = Feed::open(self.exchanges.down);
        let price = timeout(PATIENCE, feed.price("ACME")).await;
        ensure!(!matches!(price, Ok(Ok(_))), "it is not down");
        Ok(())
    }
}
