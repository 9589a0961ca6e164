//! The lamp service of a city: web pages ask street lamps how they are, all over one line to the radio gateway.
//!
//! Run it: `cargo run --bin street-lamps-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// The gateway's protocol has one byte for the number of a question.
const NUMBERS: usize = 256;
/// A lamp answers within this time, or there is something the matter with it. Short here, ten seconds in a city.
const PATIENCE: Duration = Duration::from_millis(800);
/// Lines that wait to be written: at most one question and one recall for each number.
const OUTBOX: usize = 2 * NUMBERS;

/// The line to the gateway, for all pages.
pub(crate) struct Line {
    desk: Arc<Mutex<Desk>>,
    /// Pages send, `write` receives; closed by the end of the line.
    outbox: mpsc::Sender<String>,
    /// Questions that a page waits for; closed when the line is.
    under_way: TaskTracker,
    tasks: TaskTracker,
    stopped: CancellationToken,
}

impl Line {
    pub(crate) async fn open(gateway: SocketAddr) -> anyhow::Result<Arc<Self>> {
        let (answers, questions) = TcpStream::connect(gateway).await.context("no gateway")?.into_split();
        let (outbox, lines) = mpsc::channel(OUTBOX);
        let desk = Desk { free: (0..=u8::MAX).rev().collect(), pages: HashMap::new() };
        let line = Arc::new(Self {
            desk: Arc::new(Mutex::new(desk)),
            outbox,
            under_way: TaskTracker::new(),
            tasks: TaskTracker::new(),
            stopped: CancellationToken::new(),
        });
        line.tasks.spawn(line.stopped.clone().run_until_cancelled_owned(write(questions, lines)));
        line.tasks.spawn(line.stopped.clone().run_until_cancelled_owned(read(answers, line.desk.clone())));
        Ok(line)
    }

    /// Asks a lamp. What it answers is what the page shows.
    pub(crate) async fn ask(&self, lamp: u64) -> anyhow::Result<String> {
        let _under_way = self.enter()?;
        let (number, answer) = self.send(lamp)?;
        if let Ok(answer) = timeout(PATIENCE, answer).await {
            return answer.context("the gateway has hung up");
        }
        self.recall(number);
        bail!("lamp {lamp} does not answer")
    }

    /// Numbers in use, for the status page.
    pub(crate) fn in_use(&self) -> usize {
        NUMBERS - lock(&self.desk).free.len()
    }

    /// Takes no new question, lets pages have their answers, and hangs up.
    pub(crate) async fn stop(&self) {
        self.under_way.close();
        self.under_way.wait().await;
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The line stays open for whoever has what this returns.
    fn enter(&self) -> anyhow::Result<TaskTrackerToken> {
        let token = self.under_way.token();
        ensure!(!self.under_way.is_closed(), "the line is closed");
        Ok(token)
    }

    /// Sends a question, under a number that is free.
    fn send(&self, lamp: u64) -> anyhow::Result<(u8, oneshot::Receiver<String>)> {
        let mut desk = lock(&self.desk);
        let number = desk.free.pop().context("all numbers are in use")?;
        let (page, answer) = oneshot::channel();
        desk.pages.insert(number, page);
        // Under the lock: the gateway gets its lines in the order in which numbers were given.
        self.outbox.try_send(format!("{number} ASK {lamp}\n")).context("the line is down")?;
        Ok((number, answer))
    }

    /// Tells the gateway that nobody waits for this answer any more. The number is in use until the gateway's last word on it, because
    /// the answer may be on its way.
    fn recall(&self, number: u8) {
        let desk = lock(&self.desk);
        // The answer may have come this moment: then somebody else may have the number.
        if desk.pages.get(&number).is_some_and(oneshot::Sender::is_closed) {
            // There is room for it.
            let _ = self.outbox.try_send(format!("{number} RECALL\n"));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stopped.cancel();
    }
}

/// Who waits for the answer to which question.
struct Desk {
    /// Numbers that the gateway does not know of.
    free: Vec<u8>,
    /// `read` sends one answer, the page receives.
    pages: HashMap<u8, oneshot::Sender<String>>,
}

impl Desk {
    /// The gateway's last word on a number: what the lamp says, or `RECALLED`.
    fn answered(&mut self, line: &str) -> anyhow::Result<()> {
        let (number, word) = line.split_once(' ').context("no number")?;
        let number = number.parse()?;
        let page = self.pages.remove(&number).context("nobody has asked")?;
        self.free.push(number);
        // A page that was closed does not hear it.
        let _ = page.send(word.to_owned());
        Ok(())
    }
}

/// Hands out answers. When the gateway hangs up, no page has to wait.
async fn read(answers: OwnedReadHalf, desk: Arc<Mutex<Desk>>) {
    let mut lines = BufReader::new(answers).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Err(error) = lock(&desk).answered(&line) {
            eprintln!("the gateway says {line:?}: {error:#}");
        }
    }
    lock(&desk).pages.clear();
}

/// A task of its own, so that no page which is closed leaves half a question on the line.
async fn write(mut questions: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        if let Err(error) = questions.write_all(line.as_bytes()).await {
            return eprintln!("cannot write to the gateway: {error}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
